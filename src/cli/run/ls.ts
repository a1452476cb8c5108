import type { LsFlags } from '../commands/ls.ts'
import { type Described, describeOpened } from '../contents.ts'
import type { Context } from '../context.ts'
import { branches, kindOf, summarize } from '../graph.ts'
import { openSession } from '../session.ts'
import { bytes, print, table } from '../shell/print.ts'

export async function run(this: Context, flags: LsFlags, text: string): Promise<void> {
  await using session = await openSession(this, flags)
  const opened = await session.open(await session.location(text))
  const described = await describeOpened(opened, { signal: session.signal })
  if (flags.all) {
    const contents = allOf(described)
    print(this, session.format, contents, () =>
      table(
        ['DIGEST', 'SIZE', 'KIND', 'PLATFORM', ''],
        contents.map(({ digest, sizeBytes, kind, platform, absent }) => [
          digest,
          bytes(sizeBytes),
          kind,
          platform ?? '-',
          absent ? 'absent' : '',
        ]),
      ),
    )
    return
  }
  const roots = described.map(({ reference, tree }) => {
    const { sizeBytes, platforms, absent } = summarize(tree)
    return {
      ...(reference !== undefined && { reference }),
      digest: tree.digest,
      kind: kindOf(tree),
      sizeBytes,
      platforms,
      absent: absent.length,
    }
  })
  print(this, session.format, roots, () =>
    table(
      ['REFERENCE', 'DIGEST', 'KIND', 'SIZE', 'PLATFORMS'],
      roots.map(({ reference, digest, kind, sizeBytes, platforms }) => [
        reference ?? '-',
        digest,
        kind,
        bytes(sizeBytes),
        platforms.join(',') || '-',
      ]),
    ),
  )
}

interface Listed {
  readonly digest: string
  readonly mediaType: string
  readonly kind: string
  readonly sizeBytes: number
  readonly platform?: string
  readonly absent: boolean
}

/** Each content once, in the order of the trees. */
function allOf(described: readonly Described[]): Listed[] {
  const listed = new Map<string, Listed>()
  for (const { tree } of described) {
    for (const branch of branches(tree)) {
      const { digest, mediaType, sizeBytes, platform } = branch
      if (listed.has(digest)) continue
      const absent = branch.absent === true
      const kind = kindOf(branch)
      listed.set(digest, { digest, mediaType, kind, sizeBytes, ...(platform && { platform }), absent })
    }
  }
  return [...listed.values()]
}
