import { createHash } from 'node:crypto'
import { isFailure } from '#base/index.ts'
import { failure } from '../codes.ts'
import type { Check } from '../types.ts'
import { type Certificate, isFor, oids, parseCertificate } from './certificate.ts'
import { type Issued, issuedBy } from './certificate-chain.ts'
import { checkCertificateLogged } from './certificate-log.ts'
import type { Claim, ClaimedSigner } from './claim.ts'
import { identityIn } from './identity.ts'
import type { SignedBy } from './judge.ts'
import type { PreparedTrust } from './prepared-trust.ts'
import { provedTimes } from './proved-times.ts'
import type { Signed } from './signed.ts'
import type { TrustedRoot } from './trusted-root.ts'

/**
 * Judges a signature by a short-lived certificate (Fulcio's): a trusted root's authority must have issued it, its logs
 * must hold it, and a proved time must lie in its life.
 *
 * @throws the refusal of the root that came closest
 */
export function judgeCertificate(
  claim: Claim,
  { der }: ClaimedSigner & { kind: 'certificate' },
  signed: Signed,
  trust: PreparedTrust,
): SignedBy {
  const leaf = parseCertificate(der)
  let refusal: unknown
  for (const root of trust.roots) {
    try {
      return judgeUnder(root, claim, leaf, signed, trust)
    } catch (error) {
      if (!isFailure(error)) throw error
      // That some other root knows nothing of the certificate tells least.
      if (refusal === undefined || isFailure(refusal, 'CERTIFICATE_UNTRUSTED')) refusal = error
    }
  }
  throw (
    refusal ??
    failure('CERTIFICATE_UNTRUSTED', 'no trusted root is known that could vouch for the certificate')
  )
}

function judgeUnder(
  root: TrustedRoot,
  claim: Claim,
  leaf: Certificate,
  signed: Signed,
  trust: PreparedTrust,
): SignedBy {
  const checks: Check[] = []
  const proved = provedTimes(claim, signed, [root], { der: leaf.der, isCertificate: true })
  const { authority, issuer } = issued(leaf, root, proved.times)
  checks.push('certificate-chain', 'certificate-time')
  if (!isFor(leaf, oids.codeSigning)) {
    throw failure('CERTIFICATE_UNTRUSTED', 'the certificate is not for signing code')
  }
  const { identity, issuer: vouchedBy, extensions } = identityIn(leaf)
  if (root.issuers && !root.issuers.has(vouchedBy)) {
    throw failure(
      'CERTIFICATE_UNTRUSTED',
      `the trusted root ${root.name} may not vouch for identities of ${vouchedBy}`,
    )
  }
  const issuerKeyId = createHash('sha256').update(issuer.spki).digest('hex')
  const serial = leaf.serial.replace(/^(00)+(?=..)/, '')
  if (trust.isRevoked({ certificate: { issuerKeyId, serial } })) {
    throw failure('REVOKED', `the certificate ${serial} of ${identity} was revoked`)
  }
  if (trust.isRevoked({ keyId: createHash('sha256').update(leaf.spki).digest('hex') })) {
    throw failure('REVOKED', `the key in the certificate of ${identity} was revoked`)
  }
  if (authority.asksForCertificateLog) {
    checkCertificateLogged(leaf, issuer, root.certificateLogs)
    checks.push('certificate-transparency')
  }
  if (authority.asksForLog && !proved.log) {
    throw failure('NOT_IN_LOG', `no log that the trusted root ${root.name} knows holds the signature`)
  }
  if (!signed.isBy(leaf.key)) {
    throw failure('SIGNATURE_INVALID', `the signature is not by the key in the certificate of ${identity}`)
  }
  return {
    signer: { kind: 'certificate', root: root.name, identity, issuer: vouchedBy, extensions },
    checks: ['signature', ...checks, ...proved.checks],
    signedAt: new Date(Math.min(...proved.times)).toISOString(),
    ...(proved.log && { log: proved.log }),
  }
}

/** Who issued it is looked for first: a time that nobody proved of a stranger's certificate tells nothing. */
function issued(leaf: Certificate, root: TrustedRoot, times: readonly number[]): Issued {
  const found = issuedBy(leaf, root.authorities, times)
  if (times.length > 0) return found
  const life = [leaf.notBefore, leaf.notAfter].map((time) => new Date(time).toISOString())
  throw failure(
    'NO_TRUSTED_TIME',
    `nothing proves that it was signed in the certificate’s life, ${life.join(' to ')}`,
  )
}
