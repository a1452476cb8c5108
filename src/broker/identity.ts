import { createHash } from 'node:crypto'
import { canonicalJson, type Json, jsonAt } from '#base/index.ts'
import type { IdentityOf } from './types.ts'

/** The digest of the init-data: whoever starts a guest says in it who it is. */
export const defaultIdentity: readonly string[] = ['/submods/cpu0/ear.veraison.annotated-evidence/init_data']

/**
 * Who a guest is, by claims that stay the same from one attestation to the next: 64 hex digits, the hash of all of
 * them in their order. A guest whose token lacks one is nobody in particular. A certificate says whom it is for.
 *
 * @param pointers JSON pointers (RFC 6901) into the token's claims, at least one
 */
export const identityOf =
  (pointers: readonly string[] = defaultIdentity): IdentityOf =>
  (caller) => {
    if (caller.kind === 'certificate') return caller.identity
    if (caller.kind !== 'guest') return undefined
    const values: Json[] = []
    for (const pointer of pointers) {
      const value = jsonAt(caller.claims, pointer)
      // A verifier that has no init-data says so with an empty text: that is nobody's name.
      if (value === undefined || value === null || value === '') return undefined
      values.push(value)
    }
    return createHash('sha256').update(canonicalJson(values)).digest('hex')
  }
