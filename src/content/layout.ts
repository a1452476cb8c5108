import { basename, resolve } from 'node:path'
import { type FileSystem, nodeFileSystem } from '#base/index.ts'
import type { Descriptor } from '#oci/index.ts'
import { containerdNameAnnotation, refNameAnnotation } from './annotations.ts'
import { LayoutDirectory } from './layout-directory.ts'
import { RootedRepositories, RootedSource } from './rooted-repositories.ts'
import type { Container, Root } from './types.ts'

export interface OpenLayoutOptions {
  readonly fs?: FileSystem | undefined
  /** The repository of roots without a whole name; made of the folder's name where it is not said. */
  readonly repositoryName?: string | undefined
}

/** Opens an OCI image layout to read. @throws LAYOUT_INVALID */
export async function openLayout(path: string, options: OpenLayoutOptions = {}): Promise<Container> {
  const layout = new LayoutDirectory(path, options.fs ?? nodeFileSystem)
  await layout.assertLayout()
  const rooted = {
    roots: async () => (await layout.roots()).map(rootOf),
    size: layout.size.bind(layout),
    open: layout.open.bind(layout),
  }
  const repositories = new RootedRepositories(rooted, options.repositoryName ?? repositoryNameFor(path))
  return {
    roots: rooted.roots,
    source: new RootedSource(rooted),
    repository: (name) => repositories.repository(name),
    names: (page) => repositories.names(page),
    contents: () => layout.contents(),
    close: async () => undefined,
  }
}

/**
 * A descriptor of an index.json as a root. Docker and BuildKit put the bare tag where other tools look for the name,
 * and the whole name beside it.
 */
export function rootOf(descriptor: Descriptor): Root {
  const name = descriptor.annotations?.[refNameAnnotation]
  const whole = descriptor.annotations?.[containerdNameAnnotation]
  const reference = whole?.endsWith(`:${name}`) ? whole : (name ?? whole)
  return reference === undefined ? { descriptor } : { descriptor, reference }
}

/** The repository of roots that have no whole name: the file's or folder's own, in a registry's letters. */
export function repositoryNameFor(path: string): string {
  const name = basename(resolve(path))
    .toLowerCase()
    .replace(/\.(tgz|tar\.gz|tar\.zst|tar)$/, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
  return name || 'layout'
}
