import { isFailure, type Json, limits } from '#base/index.ts'
import { type Digest, isDigest } from '#oci/index.ts'
import { imageSignatureType } from '../sign/statement.ts'
import type { Proof, SignatureForm } from '../types.ts'
import { readBundle } from '../verify/bundle.ts'
import { parseCertificate } from '../verify/certificate.ts'
import type { Claim } from '../verify/claim.ts'
import { identityIn } from '../verify/identity.ts'
import { Fields, jsonIn } from '../verify/json-fields.ts'
import { readLegacy } from '../verify/legacy.ts'

/** What a proof says of itself. NOTHING of it is verified: it is for lists that say so, never for decisions. */
export interface ClaimedProof {
  readonly form: SignatureForm
  readonly digest: Digest
  readonly carrier?: Digest
  /** Undefined where it could not be read: `problem` says why. */
  readonly predicateType?: string
  readonly predicate?: Json
  /** The digests that it is about. */
  readonly subjects: readonly Digest[]
  readonly signer?:
    | { readonly kind: 'key'; readonly hint?: string }
    | { readonly kind: 'certificate'; readonly identity: string; readonly issuer: string }
  readonly problem?: { readonly code: string; readonly message: string }
}

/** Reads a proof without judging it. Never throws for what is wrong in it. */
export function claimedProof(proof: Proof): ClaimedProof {
  const { form, digest, carrier, bytes, unreadable } = proof
  const named = { form, digest, ...(carrier !== undefined && { carrier }) }
  if (unreadable) return { ...named, subjects: [], problem: unreadable }
  try {
    const isLegacy = form === 'legacy-signature' || form === 'legacy-attestation'
    const claim = isLegacy ? readLegacy(proof) : readBundle(bytes)
    return { ...named, ...said(claim), signer: signerOf(claim) }
  } catch (error) {
    if (!isFailure(error)) throw error
    return { ...named, subjects: [], problem: { code: error.code, message: error.message } }
  }
}

function signerOf({ signer }: Claim): NonNullable<ClaimedProof['signer']> {
  if (signer.kind === 'key') return { kind: 'key', ...(signer.hint !== undefined && { hint: signer.hint }) }
  const { identity, issuer } = identityIn(parseCertificate(signer.der))
  return { kind: 'certificate', identity, issuer }
}

function said({ content }: Claim): Pick<ClaimedProof, 'predicateType' | 'predicate' | 'subjects'> {
  switch (content.kind) {
    case 'envelope': {
      const statement = new Fields(jsonIn(content.payload, limits.proofBytes, 'a statement'), 'the statement')
      const predicate = statement.value('predicate')
      const subjects = statement.list('subject', limits.proofs).flatMap(digestsOf)
      return {
        predicateType: statement.text('predicateType'),
        ...(predicate !== undefined && { predicate }),
        subjects,
      }
    }
    case 'document': {
      const document = new Fields(jsonIn(content.payload, limits.manifestBytes, 'a document'), 'the document')
      const image = document.object('critical').object('image').value('docker-manifest-digest')
      return { predicateType: imageSignatureType, subjects: isDigest(image) ? [image] : [] }
    }
    default: {
      const hash = content.digest
      const text = hash && `${hash.hash}:${Buffer.from(hash.bytes).toString('hex')}`
      return { predicateType: imageSignatureType, subjects: isDigest(text) ? [text] : [] }
    }
  }
}

function digestsOf(value: Json): Digest[] {
  const digest = new Fields(value, 'a subject').value('digest')
  const entries = typeof digest === 'object' && digest !== null ? Object.entries(digest) : []
  return entries.map(([algorithm, hex]) => `${algorithm}:${hex}`).filter(isDigest)
}
