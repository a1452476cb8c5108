import { limits } from '#base/index.ts'
import type { OpenedContainer } from '#content/index.ts'
import { bundleFacts, bundleLines } from '../bundle-facts.ts'
import type { InspectFlags } from '../commands/inspect.ts'
import { describeOpened } from '../contents.ts'
import type { Context } from '../context.ts'
import { kindOf, summarize } from '../graph.ts'
import { findBundle } from '../open-bundle.ts'
import { openSession } from '../session.ts'
import { bytes, print, table } from '../shell/print.ts'

export async function run(this: Context, flags: InspectFlags, text: string): Promise<void> {
  await using session = await openSession(this, flags)
  const location = await session.location(text)
  const { signal } = session
  if (location.kind === 'bundle') {
    const { parseBundle } = await import('#bundle/index.ts')
    const { readWhole } = await import('../files.ts')
    const facts = bundleFacts(
      parseBundle(await readWhole(location.path, limits.bundleBytes)),
      (await import('#bundle/index.ts')).extensionReport,
    )
    print(this, session.format, { location: text, kind: 'bundle', roots: [], bundle: facts }, () =>
      [`${text}: bundle`, ...bundleLines(facts)].join('\n'),
    )
    return
  }
  const opened = await session.open(location)
  const described = await describeOpened(opened, { signal })
  const roots = described.map(({ reference, tree }) => {
    const { platforms, absent, ...sums } = summarize(tree)
    return {
      ...(reference !== undefined && { reference }),
      digest: tree.digest,
      mediaType: tree.mediaType,
      kind: kindOf(tree),
      ...sums,
      platforms,
      absent,
    }
  })
  const found = await findBundle(opened, { signal })
  const facts = found && bundleFacts(found.bundle, (await import('#bundle/index.ts')).extensionReport)
  const { container } = opened
  const kind = container && 'kind' in container ? (container as OpenedContainer).kind : location.kind
  const value = { location: text, kind, roots, ...(facts && { bundle: facts }) }
  print(this, session.format, value, () => {
    const rows = roots.map((root) => [
      root.reference ?? '-',
      root.kind,
      bytes(root.sizeBytes),
      root.platforms.join(', ') || '-',
      String(root.referrers),
      root.absent.length > 0 ? `${root.absent.length} absent` : '',
    ])
    const digests = roots.map((root) => `  ${root.digest}  ${root.reference ?? ''}`.trimEnd())
    return [
      `${text}: ${kind}, ${roots.length} ${roots.length === 1 ? 'root' : 'roots'}`,
      '',
      table(['REFERENCE', 'KIND', 'SIZE', 'PLATFORMS', 'REFERRERS', ''], rows),
      '',
      'Digests:',
      ...digests,
      ...(facts ? ['', ...bundleLines(facts)] : []),
    ].join('\n')
  })
}
