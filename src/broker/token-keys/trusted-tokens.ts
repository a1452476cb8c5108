import { parseJwkSet, type TokenTrust } from '#attestation/index.ts'
import { brokerLimits, isFailure } from '#base/index.ts'
import { parseCertificates } from '#keys/index.ts'
import type { TrustedTokenConfiguration } from '../configuration/types.ts'
import { failure } from './codes.ts'

/**
 * Whose tokens count beside the broker's own, as configured: read once, when the broker starts.
 *
 * @param read the bytes of a file that the configuration names, up to a size
 * @throws TOKEN_TRUST_INVALID, and what `read` does
 */
export async function readTrustedTokens(
  configured: readonly TrustedTokenConfiguration[],
  read: (path: string, maxBytes: number) => Promise<Uint8Array>,
): Promise<NonNullable<TokenTrust['others']>> {
  const { trustedTokenBytes } = brokerLimits
  return Promise.all(
    configured.map(async ({ issuer, keys, certificates }) => {
      const jwkSet = keys === undefined ? undefined : await read(keys, trustedTokenBytes + 1)
      const pem = certificates === undefined ? undefined : await read(certificates, trustedTokenBytes + 1)
      try {
        for (const bytes of [jwkSet, pem])
          if (bytes && bytes.length > trustedTokenBytes) throw invalid(issuer, 'a file is too large')
        return {
          issuer,
          ...(jwkSet && { keys: parseJwkSet(jwkSet) }),
          ...(pem && { certificates: parseCertificates(Buffer.from(pem).toString()) }),
        }
      } catch (error) {
        if (isFailure(error, 'TOKEN_TRUST_INVALID')) throw error
        throw invalid(issuer, isFailure(error) ? error.message : 'a file cannot be read')
      }
    }),
  )
}

const invalid = (issuer: string, why: string) =>
  failure('TOKEN_TRUST_INVALID', `tokens of ${issuer} cannot be trusted: ${why}`)
