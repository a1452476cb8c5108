import { failure } from '../codes.ts'
import type { Check } from '../types.ts'
import type { Claim, ClaimedSigner } from './claim.ts'
import type { SignedBy } from './judge.ts'
import type { PreparedKey, PreparedTrust } from './prepared-trust.ts'
import { provedTimes } from './proved-times.ts'
import type { Signed } from './signed.ts'

/**
 * Judges a signature by a bare key: one of those that are trusted must have made it, at a time at which it was. A
 * proved time counts for that, the moment of judging else; whoever holds a stolen key can leave the proof away.
 *
 * @throws KEY_UNTRUSTED, SIGNATURE_INVALID, KEY_EXPIRED, KEY_NOT_YET_VALID, REVOKED, LOG_PROOF_INVALID,
 *   TIMESTAMP_INVALID
 */
export function judgeKey(
  claim: Claim,
  { hint }: ClaimedSigner & { kind: 'key' },
  signed: Signed,
  trust: PreparedTrust,
  at: Date,
): SignedBy {
  const hinted = trust.keys.find(({ key }) => hint !== undefined && hint === hintOf(key.id))
  const known =
    (hinted && signed.isBy(hinted.key.key) ? hinted : undefined) ??
    trust.keys.find(({ key }) => signed.isBy(key.key))
  if (!known) {
    if (hinted) throw failure('SIGNATURE_INVALID', `the signature says it is by ${hinted.name}, and is not`)
    throw failure('KEY_UNTRUSTED', 'the signature is by none of the keys that are trusted')
  }
  const { name, key } = known
  if (trust.isRevoked({ keyId: key.id })) throw failure('REVOKED', `the key ${name} was revoked`)
  const proved = provedTimes(claim, signed, trust.roots, { der: key.spki, isCertificate: false })
  const time = proved.times.length > 0 ? Math.min(...proved.times) : undefined
  checkTime(known, proved.times, at)
  const checks: Check[] = ['signature', 'key-trusted', 'key-time', ...proved.checks]
  return {
    signer: { kind: 'key', keyId: key.id, name },
    checks,
    ...(time !== undefined && { signedAt: new Date(time).toISOString() }),
    ...(proved.log && { log: proved.log }),
    ...(time === undefined && endOf(known)),
  }
}

/** cosign's hint: base64 of SHA-256 over the SPKI. */
const hintOf = (id: string): string => Buffer.from(id, 'hex').toString('base64')

function checkTime(
  { name, validFrom, validUntil, revokedAt }: PreparedKey,
  proved: readonly number[],
  at: Date,
): void {
  for (const time of proved.length > 0 ? proved : [at.getTime()]) {
    const said = new Date(time).toISOString()
    if (time >= revokedAt) throw failure('REVOKED', `the key ${name} was revoked before ${said}`)
    if (time < validFrom) throw failure('KEY_NOT_YET_VALID', `the key ${name} did not count yet at ${said}`)
    if (time >= validUntil) throw failure('KEY_EXPIRED', `the key ${name} did not count any more at ${said}`)
  }
}

/** Without a proved time the answer ends with the key. */
function endOf({ validUntil, revokedAt }: PreparedKey): { validUntil?: string } {
  const end = Math.min(validUntil, revokedAt)
  return Number.isFinite(end) ? { validUntil: new Date(end).toISOString() } : {}
}
