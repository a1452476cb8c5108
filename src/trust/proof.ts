import { type Digest, digestOf } from '#oci/index.ts'
import type { Proof, SignatureForm } from './types.ts'

/** A proof of these bytes, copied: nobody can change them after they were hashed. */
export function proofOf(form: SignatureForm, bytes: Uint8Array, carrier?: Digest): Proof {
  const own = Uint8Array.from(bytes)
  return { form, digest: digestOf(own), bytes: own, ...(carrier && { carrier }) } as Proof
}

/** One that is listed under this digest and could not be had; judging refuses it with `reason`. */
export function unreadableProof(
  form: SignatureForm,
  digest: Digest,
  carrier: Digest,
  reason: { readonly code: string; readonly message: string },
): Proof {
  return { form, digest, carrier, bytes: new Uint8Array(0), unreadable: reason } as Proof
}
