import { resolve } from 'node:path'
import { nodeFileSystem } from '#base/index.ts'
import type { CnabBundle, RelocationMapping } from '#bundle/index.ts'
import { ArchiveWriter, copyAll } from '#content/index.ts'
import { parsePlatform } from '#oci/index.ts'
import { failure } from '../codes.ts'
import type { PackFlags } from '../commands/pack.ts'
import { describeOpened } from '../contents.ts'
import type { Context } from '../context.ts'
import { copyFacts, copyLine } from '../copy-facts.ts'
import { readWhole } from '../files.ts'
import { openGateFor } from '../gate/gate-for.ts'
import { summarize } from '../graph.ts'
import { openLocation } from '../open-location.ts'
import { type PackList, packList } from '../pack-list.ts'
import { openSession } from '../session.ts'
import { bytes, print, table } from '../shell/print.ts'
import { showProgress } from '../shell/progress.ts'

const mappingBytes = 8 * 1024 * 1024

// The bundle room is loaded only where a bundle is packed: images alone do without it.
async function readMapping(path: string): Promise<RelocationMapping> {
  const { parseRelocationMapping } = await import('#bundle/index.ts')
  return parseRelocationMapping(await readWhole(path, mappingBytes))
}
async function canonical(bundle: CnabBundle): Promise<Uint8Array> {
  return (await import('#bundle/index.ts')).formatBundle(bundle)
}

export async function run(this: Context, flags: PackFlags, ...texts: string[]): Promise<void> {
  await using session = await openSession(this, flags)
  const begun = performance.now()
  const path = resolve(this.cwd, flags.output)
  const mapping =
    flags.relocationMapping === undefined
      ? undefined
      : await readMapping(resolve(this.cwd, flags.relocationMapping))
  const progress = showProgress(this)
  const { signal, concurrency } = session
  try {
    progress.onProgress({ type: 'phase', name: 'resolving' })
    const list = await packList(session, texts, {
      ...(flags.name !== undefined && { name: flags.name }),
      ...(mapping && { mapping }),
    })
    await using gate = await openGateFor(this, session, flags)
    if (gate) {
      const { admitItems } = await import('../gate/admit.ts')
      await admitItems(gate, 'pack', list.items)
    }
    const [only, ...others] = list.bundles
    // What was found in a registry is carried as it is; what somebody wrote is made canonical, as its index has it.
    const bundleBytes = only && (only.index ? only.bytes : await canonical(only.bundle))
    const files = bundleBytes && others.length === 0 ? [{ path: 'bundle.json', bytes: bundleBytes }] : []
    await using writer = new ArchiveWriter(path, { files })
    const result = await copyAll(passages(list, writer), {
      platforms: flags.platform?.map(parsePlatform) ?? [],
      referrers: flags.referrers,
      concurrency,
      signal,
      onProgress: progress.onProgress,
    })
    progress.end()
    const facts = copyFacts(result, performance.now() - begun)
    await using opened = await openLocation({ kind: 'archive', text: flags.output, path }, session.registries)
    const roots = (await describeOpened(opened, { signal })).map(({ reference, tree }) => {
      const { sizeBytes, platforms, referrers, absent } = summarize(tree)
      return {
        ...(reference !== undefined && { reference }),
        digest: tree.digest,
        sizeBytes,
        platforms,
        referrers,
        absent: absent.length,
      }
    })
    const archiveSizeBytes = (await nodeFileSystem.stat(path))?.sizeBytes ?? 0
    const bundles = list.bundles.map(({ bundle: { name, version } }) => ({ name, version }))
    const value = { archive: flags.output, archiveSizeBytes, bundles, roots, ...facts }
    print(this, session.format, value, () =>
      [
        table(
          ['REFERENCE', 'DIGEST', 'SIZE', 'PLATFORMS'],
          roots.map((root) => [
            root.reference ?? '-',
            root.digest,
            bytes(root.sizeBytes),
            `${root.platforms.join(',') || '-'}${root.absent > 0 ? ` (${root.absent} absent)` : ''}`,
          ]),
        ),
        copyLine(facts, 'shared'),
        `${flags.output}: ${bytes(archiveSizeBytes)}`,
      ].join('\n'),
    )
  } finally {
    progress.end()
  }
}

/** One Target for each repository inside. @throws USAGE where one name would mean two things */
function passages(list: PackList, writer: ArchiveWriter) {
  const targets = new Map<string, ReturnType<ArchiveWriter['repository']>>()
  const named = new Map<string, string>()
  return list.items.map(({ root, source, repository, tag }) => {
    const target = targets.get(repository) ?? writer.repository(repository)
    targets.set(repository, target)
    const name = `${repository}:${tag}`
    const other = named.get(name)
    if (tag !== undefined && other !== undefined && other !== root.digest) {
      throw failure('USAGE', `${name} would be both ${other} and ${root.digest} in the archive`, {
        hint: 'Name one of them by digest alone (HOST/REPOSITORY@DIGEST).',
      })
    }
    named.set(name, root.digest)
    return { root, source, target, tags: tag === undefined ? [] : [tag] }
  })
}
