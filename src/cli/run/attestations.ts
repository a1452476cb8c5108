import { claimedProof, gatherProofs, imageSignatureType, predicateType } from '#trust/index.ts'
import type { AttestationsFlags } from '../commands/attestations.ts'
import type { Context } from '../context.ts'
import { onePlace } from '../proof-places.ts'
import { openSession } from '../session.ts'
import { print, table, tell } from '../shell/print.ts'

export async function run(this: Context, flags: AttestationsFlags, text: string): Promise<void> {
  await using session = await openSession(this, flags)
  const { signal, concurrency } = session
  const wanted = flags.type === undefined ? undefined : predicateType(flags.type)
  const opened = await session.open(await session.location(text))
  const { subject, source, reference } = await onePlace(session, opened, text)
  const found: ReturnType<typeof claimedProof>[] = []
  for await (const proof of gatherProofs(source, subject, { signal, concurrency })) {
    const claimed = claimedProof(proof)
    if (wanted === undefined || claimed.predicateType === wanted) found.push(claimed)
  }
  if (flags.predicate === true && session.format === 'text') {
    for (const { predicate } of found) {
      if (predicate !== undefined) this.process.stdout.write(`${JSON.stringify(predicate)}\n`)
    }
    return
  }
  const proofs = found.map(({ predicate, ...rest }) => ({
    ...rest,
    ...(flags.predicate === true && predicate !== undefined && { predicate }),
  }))
  const facts = {
    location: text,
    ...(reference !== undefined && { reference }),
    digest: subject.digest,
    verified: false,
    proofs,
  }
  print(this, session.format, facts, () =>
    proofs.length === 0
      ? ''
      : table(
          ['TYPE', 'FORM', 'BY', 'DIGEST'],
          proofs.map(({ predicateType: type, form, signer, digest, problem }) => [
            type === imageSignatureType ? 'signature' : (type ?? `unreadable: ${problem?.message}`),
            form,
            signer === undefined ? '-' : signer.kind === 'key' ? (signer.hint ?? 'a key') : signer.identity,
            digest,
          ]),
        ),
  )
  if (session.format === 'text') {
    const none = `${text} has no ${wanted ?? 'signatures or attestations'}`
    tell(this, proofs.length === 0 ? none : 'nothing of this was verified (see `sealift verify-attestation`)')
  }
}
