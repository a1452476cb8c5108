import type { TreeFlags } from '../commands/tree.ts'
import { describeOpened } from '../contents.ts'
import type { Context } from '../context.ts'
import { type Branch, kindOf } from '../graph.ts'
import { openSession } from '../session.ts'
import { paint } from '../shell/paint.ts'
import { bytes, oneLine, print } from '../shell/print.ts'

export async function run(this: Context, flags: TreeFlags, text: string): Promise<void> {
  await using session = await openSession(this, flags)
  const opened = await session.open(await session.location(text))
  const described = await describeOpened(opened, { signal: session.signal })
  const color = paint(this, this.process.stdout)
  print(this, session.format, described, () =>
    described
      .flatMap(({ reference, tree }) => [
        color.bold(oneLine(reference ?? '(unnamed)')),
        ...draw(tree, '', ''),
      ])
      .join('\n'),
  )
}

/** The lines of a branch: itself after `lead`, what is below it after `indent`. */
export function draw(branch: Branch, lead: string, indent: string): string[] {
  const below = [...branch.children, ...branch.referrers]
  return [
    `${lead}${lineOf(branch)}`,
    ...below.flatMap((child, at) => {
      const isLast = at === below.length - 1
      return draw(child, `${indent}${isLast ? '└─ ' : '├─ '}`, `${indent}${isLast ? '   ' : '│  '}`)
    }),
  ]
}

function lineOf(branch: Branch): string {
  const { role, digest, sizeBytes, platform, title } = branch
  const kind = kindOf(branch)
  return [
    role === 'referrer' ? `proof: ${kind}` : kind,
    digest,
    bytes(sizeBytes),
    platform ?? '',
    title === undefined ? '' : JSON.stringify(title),
    branch.absent ? '(absent)' : '',
    branch.repeated ? '(see above)' : '',
  ]
    .filter((part) => part !== '')
    .map(oneLine)
    .join('  ')
}
