import { type Json, limits, parseJson } from '#base/index.ts'
import type { CallOptions } from '#content/index.ts'
import { isObject } from '#oci/index.ts'
import { failure } from '../codes.ts'
import { answerInvalid, answerJson, askService, serviceRefusal } from './signing-service.ts'

/** Where the OIDC token comes from that says who signs. Asked for each certificate: tokens live for minutes. */
export interface IdentityTokens {
  /** @throws IDENTITY_TOKEN_INVALID, and the codes of signing services */
  token(options?: CallOptions): Promise<string>
}

/** A token that is there already. */
export const givenToken = (token: string): IdentityTokens => ({ token: async () => token.trim() })

/**
 * The token of a GitHub Actions job that may ask for one (`permissions: id-token: write`); undefined outside of such.
 */
export function githubTokens(
  env: Readonly<Record<string, string | undefined>>,
  audience = 'sigstore',
): IdentityTokens | undefined {
  const url = env.ACTIONS_ID_TOKEN_REQUEST_URL
  const bearer = env.ACTIONS_ID_TOKEN_REQUEST_TOKEN
  const who = 'GitHub’s token service'
  const target = url === undefined ? null : URL.parse(url)
  if (!target || !bearer) return undefined
  target.searchParams.set('audience', audience)
  return {
    async token({ signal } = {}) {
      const headers = { authorization: `Bearer ${bearer}`, accept: 'application/json' }
      const answer = await askService({ who, url: target.href, method: 'GET', headers, signal })
      if (answer.status !== 200) throw serviceRefusal(who, answer)
      const body = answerJson(who, answer.bytes)
      if (!isObject(body) || typeof body.value !== 'string') throw answerInvalid(who, 'it holds no token')
      return body.value
    },
  }
}

/**
 * What a Fulcio wants signed to see that we hold the key: the e-mail address in the token, else its subject. The
 * token is not verified here; the authority does that. It is a secret, and never part of a message.
 *
 * @throws IDENTITY_TOKEN_INVALID
 */
export function subjectOfToken(token: string): string {
  const claims = claimsOf(token)
  if (typeof claims.email === 'string' && claims.email !== '') {
    if (claims.email_verified === true || claims.email_verified === 'true') return claims.email
    throw failure('IDENTITY_TOKEN_INVALID', 'the identity token’s issuer has not verified the e-mail address')
  }
  if (typeof claims.sub === 'string' && claims.sub !== '') return claims.sub
  throw failure('IDENTITY_TOKEN_INVALID', 'the identity token names nobody')
}

function claimsOf(token: string): { readonly [key: string]: Json } {
  const [, payload = '', signature, ...more] = token.split('.')
  if (token.length > limits.tokenBytes || signature === undefined || more.length > 0) {
    throw failure('IDENTITY_TOKEN_INVALID', 'the identity token is not a signed JSON Web Token')
  }
  try {
    const claims = parseJson(Buffer.from(payload, 'base64url'), { maxBytes: limits.tokenBytes })
    if (isObject(claims)) return claims
  } catch {
    // The cause would show a part of it.
  }
  throw failure('IDENTITY_TOKEN_INVALID', 'the claims of the identity token cannot be read')
}
