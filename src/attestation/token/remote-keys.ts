import { type AttestationLimits, attestationLimits, isFailure } from '#base/index.ts'
import { failure } from '../codes.ts'
import { parseJwkSet, type TokenKey } from './jwk-set.ts'
import type { TokenTrust } from './verify.ts'

export interface RemoteKeysOptions {
  readonly fetch?: typeof globalThis.fetch
  /** After it the keys are fetched again, so that one that was taken back counts no more. Default 300. */
  readonly freshSeconds?: number
  /** For so long keys count where they cannot be fetched again. Default 3600. */
  readonly longestSeconds?: number
  /** Between two fetches, whoever asks for what: nonsense here makes no load elsewhere. Default 10. */
  readonly pauseSeconds?: number
  /** Within which an answer has to be there. Default 10. */
  readonly timeoutSeconds?: number
  readonly now?: () => Date
}

/** What a guard asks for the keys; `isUnknown` after a token whose key was not among them: there may be others by now. */
export type TrustSource = (isUnknown: boolean) => Promise<TokenTrust>

/**
 * Trust in the JWK set at an address, fetched when it is needed and kept for a while: for `attestationGuard`. Whoever
 * can change it on its way can make tokens: plain HTTP is for loopback. The function that it gives throws
 * TOKEN_KEYS_UNAVAILABLE, and gives the same object while nothing was fetched.
 *
 * @param issuer the required `iss`
 * @throws TOKEN_KEY_INVALID for an address that is not HTTPS
 */
export function remoteKeys(address: string, issuer: string, options: RemoteKeysOptions = {}): TrustSource {
  const url = URL.parse(address)
  if (!url || (url.protocol !== 'https:' && !(url.protocol === 'http:' && loopback.has(url.hostname))))
    throw failure('TOKEN_KEY_INVALID', 'keys of tokens are fetched by HTTPS alone')
  const remote = new RemoteKeys(url, issuer, options)
  return (isUnknown) => (isUnknown ? remote.afterUnknown() : remote.trust())
}

const loopback = new Set(['127.0.0.1', '[::1]', 'localhost'])

interface Fetched {
  readonly trust: TokenTrust
  /** In milliseconds. */
  readonly at: number
}

class RemoteKeys {
  readonly #url: URL
  readonly #issuer: string
  readonly #options: RemoteKeysOptions
  #fetched: Fetched | undefined
  #fetching: Promise<Fetched> | undefined
  #tried = Number.NEGATIVE_INFINITY

  constructor(url: URL, issuer: string, options: RemoteKeysOptions) {
    this.#url = url
    this.#issuer = issuer
    this.#options = options
  }

  async trust(): Promise<TokenTrust> {
    const { freshSeconds = 300, longestSeconds = 3600 } = this.#options
    if (this.#fetched && this.#age(this.#fetched) < freshSeconds * 1000) return this.#fetched.trust
    try {
      return (await this.#fetch()).trust
    } catch (error) {
      if (this.#fetched && this.#age(this.#fetched) < longestSeconds * 1000) return this.#fetched.trust
      throw error
    }
  }

  async afterUnknown(): Promise<TokenTrust> {
    if (this.#fetched && this.#isPause() && !this.#fetching) return this.#fetched.trust
    return (await this.#fetch()).trust
  }

  /** In milliseconds; a clock that went back makes no key younger. */
  #age({ at }: Fetched): number {
    const age = this.#now() - at
    return age < 0 ? Number.POSITIVE_INFINITY : age
  }

  #isPause(): boolean {
    const since = this.#now() - this.#tried
    return since >= 0 && since < (this.#options.pauseSeconds ?? 10) * 1000
  }

  /** One at a time, whoever asks meanwhile; none while the last one is just over. */
  async #fetch(): Promise<Fetched> {
    if (!this.#fetching && this.#isPause())
      throw failure('TOKEN_KEYS_UNAVAILABLE', 'the keys of tokens could not be fetched a moment ago')
    this.#fetching ??= this.#fetchNow().finally(() => {
      this.#fetching = undefined
    })
    return this.#fetching
  }

  async #fetchNow(): Promise<Fetched> {
    const { fetch = globalThis.fetch, timeoutSeconds = 10 } = this.#options
    const at = this.#now()
    this.#tried = at
    const bytes = await fetchJwkSet(this.#url, { fetch, signal: AbortSignal.timeout(timeoutSeconds * 1000) })
    this.#fetched = { trust: { keys: parsed(bytes), issuer: this.#issuer }, at }
    return this.#fetched
  }

  readonly #now = () => (this.#options.now?.() ?? new Date()).getTime()
}

function parsed(bytes: Uint8Array): TokenKey[] {
  try {
    return parseJwkSet(bytes)
  } catch (cause) {
    if (!isFailure(cause)) throw cause
    throw failure('TOKEN_KEYS_UNAVAILABLE', 'what is at the address of the keys is no JWK set', { cause })
  }
}

/** The bytes of a JWK set. @throws TOKEN_KEYS_UNAVAILABLE */
export async function fetchJwkSet(
  url: URL,
  options: { readonly fetch?: typeof globalThis.fetch; readonly signal: AbortSignal },
  limits: Pick<AttestationLimits, 'jwkSetBytes'> = attestationLimits,
): Promise<Uint8Array> {
  const { fetch = globalThis.fetch, signal } = options
  const where = `${url.origin}${url.pathname}`
  try {
    const response = await fetch(url, { redirect: 'error', signal, headers: { accept: 'application/json' } })
    if (response.status !== 200 || !response.body)
      throw failure('TOKEN_KEYS_UNAVAILABLE', `${where} answers ${response.status}`)
    const parts: Uint8Array[] = []
    let length = 0
    for await (const part of response.body) {
      length += part.length
      if (length > limits.jwkSetBytes)
        throw failure('TOKEN_KEYS_UNAVAILABLE', `${where} answers more than a JWK set has`)
      parts.push(part)
    }
    return Buffer.concat(parts)
  } catch (cause) {
    if (isFailure(cause)) throw cause
    throw failure('TOKEN_KEYS_UNAVAILABLE', `${where} cannot be reached`, { cause })
  }
}
