import { parsePlatform } from '#oci/index.ts'
import { failure } from '../codes.ts'
import type { VerifyFlags } from '../commands/verify.ts'
import type { Context } from '../context.ts'
import { openSession, type Session } from '../session.ts'
import { paint } from '../shell/paint.ts'
import { bytes, count, oneLine, print } from '../shell/print.ts'
import { showProgress } from '../shell/progress.ts'

export async function run(this: Context, flags: VerifyFlags, text: string): Promise<void> {
  await using session = await openSession(this, flags)
  const container = await openToVerify(session, flags, text)
  const { verify } = await import('#content/index.ts')
  const progress = showProgress(this)
  const { signal, concurrency } = session
  const { onProgress } = progress
  const report = await verify(container, { signal, concurrency, onProgress }).finally(progress.end)
  const { checked, problems, absent, roots } = report
  const ok = problems.length === 0
  print(this, session.format, { location: text, ok, checked, problems, absent, roots }, () => {
    const color = paint(this, this.process.stdout)
    const left = absent.length > 0 ? `; ${absent.length} absent on purpose` : ''
    const sums = `${count(checked.items, 'content')}, ${bytes(checked.sizeBytes)}, under ${count(roots, 'root')}${left}`
    if (ok) return `${color.green('verified')} ${text}: ${sums}`
    return [
      ...problems.map(({ kind, what, why }) => `${color.red(kind.padEnd(7))}  ${oneLine(`${what}: ${why}`)}`),
      `${text}: ${problems.length} of ${sums} ${problems.length === 1 ? 'is' : 'are'} not as they should be`,
    ].join('\n')
  })
  if (!ok) {
    throw failure('VERIFICATION_FAILED', `${text} has ${count(problems.length, 'problem')}`, {
      detail: { problems },
    })
  }
}

async function openToVerify(session: Session, flags: VerifyFlags, text: string) {
  const location = await session.location(text)
  const opened = await session.open(location)
  if (opened.container && location.kind !== 'registry' && location.inside === undefined)
    return opened.container
  const [first] = opened.roots
  if (!first) throw failure('LOCATION_INVALID', `there is nothing to verify at ${text}`)
  const { walk } = await import('#content/index.ts')
  const { registryContainer } = await import('../registry-container.ts')
  const { signal, concurrency } = session
  const platforms = flags.platform?.map(parsePlatform)
  const reached = await walk(first.root, first.source, { signal, concurrency, platforms })
  const container = registryContainer(reached, first.source)
  // Only what nobody asked for may be away.
  return platforms ? { ...container, absent: reached.absent.map(({ digest }) => digest) } : container
}
