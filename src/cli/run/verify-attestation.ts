import { SealiftError } from '#base/index.ts'
import { gatherProofs, judgeAll, type ProofFacts, predicateType, type RefusedProof } from '#trust/index.ts'
import { failure } from '../codes.ts'
import type { VerifyAttestationFlags } from '../commands/verify-attestation.ts'
import type { Context } from '../context.ts'
import { namesSigner } from '../gate/signer-flags.ts'
import { wantedSigners } from '../gate/signers.ts'
import { onePlace } from '../proof-places.ts'
import { openSession } from '../session.ts'
import { count, oneLine, print, tell } from '../shell/print.ts'

export async function run(this: Context, flags: VerifyAttestationFlags, text: string): Promise<void> {
  if (!namesSigner(flags)) {
    throw failure('USAGE', 'nobody is named who should have signed', {
      hint: 'Give --key FILE, or --identity with --issuer.',
    })
  }
  const type = predicateType(flags.type)
  await using session = await openSession(this, flags)
  const { trust, isWanted } = await wantedSigners(this, session.settings, flags)
  const opened = await session.open(await session.location(text))
  const { subject, source, reference } = await onePlace(session, opened, text)
  const { signal, concurrency } = session
  const proofs = await Array.fromAsync(gatherProofs(source, subject, { signal, concurrency }))
  const judged = judgeAll(subject, proofs, trust, new Date())
  const ofType = judged.attestations.filter((facts) => facts.predicateType === type)
  const good = ofType.filter(isWanted)
  const facts = {
    location: text,
    ...(reference !== undefined && { reference }),
    digest: subject.digest,
    predicateType: type,
    attestations: good.map(({ predicate, ...rest }) => ({
      ...rest,
      ...(flags.predicate === true && predicate !== undefined && { predicate }),
    })),
    refused: judged.refused,
  }
  for (const { code, message, digest } of judged.refused)
    tell(this, oneLine(`refused ${digest}: ${message} [${code}]`))
  if (good.length === 0) throw absent(text, type, ofType, judged.refused)
  if (flags.predicate === true && session.format === 'text') {
    for (const { predicate } of good) this.process.stdout.write(`${JSON.stringify(predicate ?? null)}\n`)
    return
  }
  print(this, session.format, facts, () =>
    [
      `verified ${count(good.length, 'attestation')} of ${subject.digest}: ${type}`,
      ...good.map((fact) => oneLine(`  ${signerOf(fact)}: ${fact.checks.join(', ')}`)),
    ].join('\n'),
  )
}

function signerOf({ signer, signedAt }: ProofFacts): string {
  const who = signer.kind === 'key' ? `key ${signer.name}` : `${signer.identity} (${signer.issuer})`
  return signedAt === undefined ? who : `${who} at ${signedAt}`
}

/** With the code that tells most: of somebody else, refused, or not there at all. */
function absent(
  text: string,
  type: string,
  others: readonly ProofFacts[],
  refused: readonly RefusedProof[],
): SealiftError {
  const said = `nobody whom you named has attested ${type} of ${text}`
  const hint = 'List what is there with `sealift attestations`, and check whom you trust.'
  if (others.length > 0) {
    const who = [...new Set(others.map(signerOf))].join(', ')
    return new SealiftError('IDENTITY_MISMATCH', `${said}; ${who} has`, { hint })
  }
  const [first] = refused
  if (!first) return new SealiftError('SIGNATURE_ABSENT', said, { hint })
  return new SealiftError(first.code, `${said}: ${refused.map(({ message }) => message).join('; ')}`, {
    hint,
  })
}
