import { SealiftError } from '#base/index.ts'
import type { Verdict } from '#gate/index.ts'
import type { ProofFacts } from '#trust/index.ts'
import { failure } from '../codes.ts'
import type { VerifyFlags } from '../commands/verify.ts'
import type { Context } from '../context.ts'
import type { Opened } from '../open-location.ts'
import type { Session } from '../session.ts'
import type { paint } from '../shell/paint.ts'
import { archiveHolders } from './holders.ts'
import { notAdmitted, openGate } from './open-gate.ts'
import { namesSigner } from './signer-flags.ts'
import { judgeSigners, type SignedSubject, unsigned, wantedSigners } from './signers.ts'
import { subjectsOf, withoutCompanions } from './subjects.ts'

type Color = ReturnType<typeof paint>

/** What became of the signatures. */
export interface VerifiedProofs {
  readonly ok: boolean
  readonly subjects: readonly SignedSubject[]
  readonly decision?: Pick<Verdict, 'allowed' | 'reasons' | 'outputs' | 'entry'>
  /** What ends the command once everything is told. */
  readonly failure?: SealiftError
  lines(color: Color): string[]
}

/** Who signed the roots of a location, or what it came in; and what the policy says. */
export async function verifyProofs(
  context: Context,
  session: Session,
  flags: VerifyFlags,
  opened: Opened,
): Promise<VerifiedProofs> {
  const { settings, signal } = session
  const holders = await archiveHolders(opened)
  const places = await withoutCompanions(opened.roots, signal)
  if (places.length === 0) throw failure('LOCATION_INVALID', `there is nothing at ${opened.location.text}`)
  const candidates = places.map(async ({ root, source, reference }) => ({
    root,
    source,
    reference: reference ?? root.digest,
    within: await holders(root.digest),
  }))
  const subjects = await subjectsOf(await Promise.all(candidates), signal)
  let signed: SignedSubject[] = []
  let refused: SealiftError | undefined
  if (namesSigner(flags)) {
    const wanted = await wantedSigners(context, settings, flags)
    const at = new Date()
    signed = subjects.map((subject) => judgeSigners(subject, wanted, at))
    const [without] = signed.filter(({ by }) => by.length === 0)
    if (without) {
      const { code, message } = unsigned(without)
      refused = new SealiftError(code, message, {
        hint: 'Ask the publisher for a good signature, or name whom you trust.',
      })
    }
  }
  let verdict: Verdict | undefined
  const hasPolicy = flags.policy !== undefined || settings.policy !== undefined
  await using gate = hasPolicy ? await openGate(context, session, flags) : undefined
  if (gate) {
    verdict = await gate.ask('load', subjects, { isInquiry: true })
    if (!verdict.allowed) refused ??= notAdmitted('load', verdict)
  }
  return {
    ok: refused === undefined,
    subjects: signed,
    ...(verdict && { decision: told(verdict) }),
    ...(refused && { failure: refused }),
    lines: (color) => [
      ...signed.flatMap((subject) => linesOf(subject, color)),
      ...(verdict ? decisionLines(verdict, color) : []),
    ],
  }
}

const told = ({ allowed, reasons, outputs, entry }: Verdict) => ({
  allowed,
  reasons,
  outputs,
  ...(entry !== undefined && { entry }),
})

function linesOf({ reference, digest, by, others, refused }: SignedSubject, color: Color): string[] {
  const name = reference === digest ? digest : `${reference} ${digest}`
  const lines = by.flatMap((facts) => [
    `${color.green('signed')}   ${name} by ${signerOf(facts)}${through(facts.subject, digest)}`,
    `         checked: ${facts.checks.join(', ')}`,
  ])
  for (const facts of others) {
    lines.push(
      `other    ${name} by ${signerOf(facts)}, whom you did not name${through(facts.subject, digest)}`,
    )
  }
  for (const { code, message } of refused) lines.push(`${color.red('refused')}  ${name}: ${code}: ${message}`)
  if (by.length + others.length + refused.length === 0) lines.push(`${color.red('unsigned')} ${name}`)
  return lines
}

/** A proof of what holds the content, its archive or index. */
const through = (subject: string, digest: string): string =>
  subject === digest ? '' : `, through what holds it, ${subject}`

const signerOf = ({ signer, signedAt }: ProofFacts): string => {
  const who =
    signer.kind === 'key' ? `key ${signer.name} (${signer.keyId})` : `${signer.identity} (${signer.issuer})`
  return signedAt === undefined ? who : `${who} at ${signedAt}`
}

function decisionLines({ allowed, reasons, entry, validUntil }: Verdict, color: Color): string[] {
  const where = entry === undefined ? '' : `, entry ${entry} of the audit log`
  const until = validUntil ? `, until ${validUntil.toISOString()}` : ''
  return [
    `${allowed ? color.green('admitted') : color.red('refused')} by the policy${where}${allowed ? until : ''}`,
    ...reasons.map(({ code, message }) => `         ${code}: ${message}`),
  ]
}
