import { parsePlatform } from '#oci/index.ts'
import { failure } from '../codes.ts'
import type { VerifyFlags } from '../commands/verify.ts'
import type { Context } from '../context.ts'
import type { VerifiedProofs } from '../gate/verify-proofs.ts'
import type { Opened } from '../open-location.ts'
import { openSession, type Session } from '../session.ts'
import { paint } from '../shell/paint.ts'
import { bytes, count, oneLine, print } from '../shell/print.ts'
import { showProgress } from '../shell/progress.ts'

export async function run(this: Context, flags: VerifyFlags, text: string): Promise<void> {
  await using session = await openSession(this, flags)
  const opened = await session.open(await session.location(text))
  const proofs = await verifyProofs(this, session, flags, opened)
  if (flags.proofsOnly && proofs.subjects.length === 0 && !proofs.decision) {
    throw failure('USAGE', '--proofs-only needs somebody to have signed: --key, --identity or --policy')
  }
  const report = flags.proofsOnly ? undefined : await verifyContent(this, session, flags, opened)
  const problems = [...(report?.problems ?? []), ...(await left(session, flags, opened))]
  const ok = problems.length === 0 && proofs.ok
  const value = {
    location: text,
    ok,
    ...(report && { checked: report.checked, absent: report.absent, roots: report.roots }),
    problems,
    ...(proofs.subjects.length > 0 && { signatures: proofs.subjects }),
    ...(proofs.decision && { decision: proofs.decision }),
  }
  print(this, session.format, value, () => {
    const color = paint(this, this.process.stdout)
    const lines = [
      ...problems.map(({ kind, what, why }) => `${color.red(kind.padEnd(7))}  ${oneLine(`${what}: ${why}`)}`),
      ...proofs.lines(color).map(oneLine),
    ]
    if (!report) return lines.join('\n')
    const { checked, absent, roots } = report
    const left = absent.length > 0 ? `; ${absent.length} absent on purpose` : ''
    const sums = `${count(checked.items, 'content')}, ${bytes(checked.sizeBytes)}, under ${count(roots, 'root')}${left}`
    const verdict =
      problems.length === 0
        ? `${color.green('verified')} ${text}: ${sums}`
        : `${text}: ${problems.length} of ${sums} ${problems.length === 1 ? 'is' : 'are'} not as they should be`
    return [...lines, verdict].join('\n')
  })
  if (problems.length > 0) {
    throw failure('VERIFICATION_FAILED', `${text} has ${count(problems.length, 'problem')}`, {
      detail: { problems },
    })
  }
  if (proofs.failure) throw proofs.failure
}

async function verifyProofs(
  context: Context,
  session: Session,
  flags: VerifyFlags,
  opened: Opened,
): Promise<VerifiedProofs> {
  const { namesSigner } = await import('../gate/signer-flags.ts')
  if (!namesSigner(flags) && flags.policy === undefined && session.settings.policy === undefined) {
    return { ok: true, subjects: [], lines: () => [] }
  }
  const { verifyProofs: verify } = await import('../gate/verify-proofs.ts')
  return verify(context, session, flags, opened)
}

async function verifyContent(context: Context, session: Session, flags: VerifyFlags, opened: Opened) {
  const container = await containerOf(session, flags, opened)
  const { verify } = await import('#content/index.ts')
  const progress = showProgress(context)
  const { signal, concurrency } = session
  const { onProgress } = progress
  return verify(container, { signal, concurrency, onProgress }).finally(progress.end)
}

async function containerOf(session: Session, flags: VerifyFlags, opened: Opened) {
  const { location } = opened
  if (opened.container && location.kind !== 'registry' && location.inside === undefined)
    return opened.container
  const [first] = opened.roots
  if (!first) throw failure('LOCATION_INVALID', `there is nothing to verify at ${location.text}`)
  const { walk } = await import('#content/index.ts')
  const { registryContainer } = await import('../registry-container.ts')
  const { signal, concurrency } = session
  const platforms = flags.platform?.map(parsePlatform)
  const reached = await walk(first.root, first.source, { signal, concurrency, platforms })
  const container = registryContainer(reached, first.source)
  // Only what nobody asked for may be away.
  return platforms ? { ...container, absent: reached.absent.map(({ digest }) => digest) } : container
}

/** What the source has and this location lacks. */
async function left(session: Session, flags: VerifyFlags, opened: Opened) {
  if (flags.against === undefined) return []
  const { leftBehind } = await import('../gate/left-behind.ts')
  return leftBehind(session, await session.open(await session.location(flags.against)), opened)
}
