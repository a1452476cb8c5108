import type { TokenSigner, TokenTrust } from '#attestation/index.ts'

/** The keys that tokens are signed with: shared by all replicas through the state, and rotated without an interruption. */
export interface TokenKeys {
  /** The one that signs now. */
  signer(at: Date): Promise<TokenSigner>
  /**
   * Under what tokens are taken: all keys that signed what can still be valid, and the one that will sign next. The
   * same object as long as nothing of it has changed.
   */
  trust(at: Date): Promise<TokenTrust>
  /** For other services: a JWK set. */
  jwkSet(at: Date): Promise<Uint8Array>
  /** PEM: the root that vouches for all keys, in front of the certificates over them. */
  certificates(at: Date): Promise<string>
  /**
   * Makes the next key: announced at once, signing after every reader of the JWK set can have seen it.
   * @throws TOKEN_KEYS_BUSY while the one before waits, or where too many have tokens that have not ended
   */
  rotate(at: Date, signal?: AbortSignal): Promise<void>
  /**
   * For keys that others may have: another root and another key, at once. No token of before counts any more, and
   * whoever trusts the root has to be told the new one.
   *
   * @throws TOKEN_KEYS_BUSY
   */
  replace(at: Date, signal?: AbortSignal): Promise<void>
}
