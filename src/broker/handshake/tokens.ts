import {
  type JsonObject,
  type ProtocolVersion,
  parseTeeKey,
  type TeeKey,
  teeKeyClaim,
  verifyToken,
  versionOfKey,
} from '#attestation/index.ts'
import { brokerLimits, type Json, jsonAt, Lru } from '#base/index.ts'
import type { TokenKeys } from '../token-keys/types.ts'
import type { Caller } from '../types.ts'

/** A guest by its token: what was found of it, and the key that answers are for. */
export interface Guest {
  readonly claims: JsonObject
  readonly expires: Date
  readonly teeKeyJwk: JsonObject
  /** Undefined until somebody encrypts to it. */
  readonly teeKey?: TeeKey
}

const initDataPlace = '/submods/cpu0/ear.veraison.annotated-evidence/init_data_claims'

/** @param claims of a token that was verified, or was made just now. @throws TOKEN_INVALID */
export function guestOf(claims: JsonObject, teeKey?: TeeKey): Guest {
  const expires = new Date((claims.exp as number) * 1000)
  return { claims, expires, teeKeyJwk: teeKeyClaim(claims), ...(teeKey && { teeKey }) }
}

/** As plugins see it. */
export function callerOf({ claims, teeKeyJwk }: Guest): Caller {
  const initData = jsonAt(claims as Json, initDataPlace)
  return {
    kind: 'guest',
    claims: claims as Json,
    teeKey: teeKeyJwk as Json,
    ...(initData !== undefined && initData !== null && { initData }),
  }
}

export interface ReadTokenOptions {
  /** Of the session; where there is none, the key tells. */
  readonly version: ProtocolVersion | undefined
  readonly allowRsa15: boolean
}

/**
 * Reads tokens back. What was verified (or signed) here is remembered under the token itself until it ends, or until
 * the keys that tokens are taken under have changed.
 */
export class Tokens {
  readonly #keys: TokenKeys
  readonly #known = new Lru<string, { readonly guest: Guest; readonly trust: object }>(
    brokerLimits.rememberedTokenBytes,
  )

  constructor(keys: TokenKeys) {
    this.#keys = keys
  }

  /** @throws TOKEN_INVALID, TOKEN_UNTRUSTED, TOKEN_EXPIRED, TEE_KEY_INVALID, TEE_KEY_REFUSED */
  async read(token: string, at: Date, options: ReadTokenOptions): Promise<Guest & { teeKey: TeeKey }> {
    const trust = await this.#keys.trust(at)
    const known = this.#known.get(token)
    const isGood = known?.trust === trust && known.guest.expires > at
    const guest = isGood ? known.guest : guestOf(verifyToken(token, trust, at).claims)
    const version = options.version ?? versionOfKey(guest.teeKeyJwk)
    const teeKey = guest.teeKey ?? parseTeeKey(guest.teeKeyJwk, version, options)
    const whole = { ...guest, teeKey }
    if (!isGood || !guest.teeKey) this.#set(token, whole, trust)
    return whole
  }

  /** What this process signed just now need not be verified by it. */
  async remember(token: string, guest: Guest, at: Date): Promise<void> {
    this.#set(token, guest, await this.#keys.trust(at))
  }

  #set(token: string, guest: Guest, trust: object): void {
    // Claims take a few times the room of their text.
    this.#known.set(token, { guest, trust }, 1024 + 6 * token.length)
  }
}
