import { RE2JS } from 're2js'
import { Lru, limits } from '#base/index.ts'
import { failure } from '../codes.ts'
import type { ProofFacts } from '../types.ts'

/** Whom one wants to have signed: each exactly, or by a pattern (RE2) for the whole of it. */
export interface WantedIdentity {
  readonly identity?: string
  readonly identityPattern?: string
  readonly issuer?: string
  readonly issuerPattern?: string
}

/**
 * Whether a certificate's identity and issuer are the wanted ones. A pattern must match from the first to the last
 * character, whatever anchors it has: an identity that merely contains it is another one.
 *
 * @throws IDENTITY_PATTERN_INVALID
 */
export function matchesIdentity({ signer }: Pick<ProofFacts, 'signer'>, wanted: WantedIdentity): boolean {
  if (signer.kind !== 'certificate') return false
  const { identity, identityPattern, issuer, issuerPattern } = wanted
  if (identity === undefined && identityPattern === undefined) return false
  if (issuer === undefined && issuerPattern === undefined) return false
  return (
    (identity === undefined || identity === signer.identity) &&
    (identityPattern === undefined || matchesWhole(identityPattern, signer.identity)) &&
    (issuer === undefined || issuer === signer.issuer) &&
    (issuerPattern === undefined || matchesWhole(issuerPattern, signer.issuer))
  )
}

const compiled = new Lru<string, RE2JS>(256)

function matchesWhole(pattern: string, text: string): boolean {
  let regexp = compiled.get(pattern)
  if (!regexp) {
    regexp = compile(pattern)
    compiled.set(pattern, regexp)
  }
  return regexp.matches(text)
}

function compile(pattern: string): RE2JS {
  if (pattern.length > limits.patternLength) {
    throw failure('IDENTITY_PATTERN_INVALID', `a pattern has at most ${limits.patternLength} characters`)
  }
  try {
    return RE2JS.compile(pattern)
  } catch (cause) {
    throw failure('IDENTITY_PATTERN_INVALID', `${JSON.stringify(pattern)} is no pattern of RE2`, { cause })
  }
}
