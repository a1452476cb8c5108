import { type Json, jsonAt } from '#base/index.ts'
import { failure } from '../codes.ts'
import { isObject, type JsonObject } from '../members.ts'

/** Where tokens of different issuers say the TEE's key, in Trustee's order: Intel's two, CoCo's old one, EAR, plain. */
const places: readonly string[] = [
  '/tdx/attester_runtime_data/tee-pubkey',
  '/tdx/attester_user_data/tee-pubkey',
  '/customized_claims/runtime_data/tee-pubkey',
  '/submods/cpu0/ear.veraison.annotated-evidence/runtime_data_claims/tee-pubkey',
  '/tee-pubkey',
]

/**
 * The TEE's key in a token's claims, from the first place where there is anything: a key that is malformed there is
 * not passed over for another one. For `parseTeeKey`.
 *
 * @param extraPlaces JSON pointers that come first
 * @throws TOKEN_INVALID
 */
export function teeKeyClaim(claims: JsonObject, extraPlaces: readonly string[] = []): JsonObject {
  for (const place of [...extraPlaces, ...places]) {
    const value = jsonAt(claims as Json, place)
    if (value === undefined) continue
    if (isObject(value)) return value
    throw failure('TOKEN_INVALID', `the TEE key of the token, at ${place}, is not an object`)
  }
  throw failure('TOKEN_INVALID', 'the token does not say the key of a TEE')
}
