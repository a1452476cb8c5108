import type { CallOptions } from '#content/index.ts'
import type { Descriptor } from '#oci/index.ts'
import { type Branch, branches, describeGraph } from './graph.ts'
import { type Opened, type OpenedRoot, repositoryName } from './open-location.ts'

/** A root of what was opened, described. */
export interface Described {
  readonly reference?: string
  readonly tree: Branch
}

/**
 * Describes all roots of a location; those that are only there as proof of another one are shown below it, not beside
 * it. What several roots share is read once for each.
 */
export async function describeOpened(opened: Opened, options: CallOptions = {}): Promise<Described[]> {
  const all: { root: OpenedRoot; tree: Branch }[] = []
  for (const root of opened.roots) {
    options.signal?.throwIfAborted()
    all.push({ root, tree: await describeGraph(root.root, root.source, options) })
  }
  const proofs = new Set<string>()
  for (const { tree } of all) {
    for (const branch of branches(tree)) {
      if (branch !== tree && (branch.role === 'referrer' || branch.role === 'signature'))
        proofs.add(branch.digest)
    }
  }
  return all
    .filter(({ root }) => opened.roots.length === 1 || !proofs.has(root.root.digest))
    .map(({ root, tree }) => {
      const name = root.reference ?? unnamed(root.root)
      return { ...(name !== undefined && { reference: name }), tree }
    })
}

/** What was packed by digest alone still has the repository that it came from. */
function unnamed(root: Descriptor): string | undefined {
  const repository = repositoryName(root, undefined)
  return repository && `${repository}@${root.digest}`
}
