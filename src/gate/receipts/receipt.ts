import { canonicalJson, type Json } from '#base/index.ts'
import { keyVerifier, type PublicKey, type Signer } from '#keys/index.ts'
import {
  type Checkpoint,
  type CheckpointTrust,
  formatLogProof,
  type LogReader,
  parseLogProof,
  proveEntry,
  verifyLogProof,
} from '#log/index.ts'
import type { Digest } from '#oci/index.ts'
import type { Audit } from '../audit/audit.ts'
import { parseRecord, type ReceiptRecord, recordBytes } from '../audit/record.ts'
import { failure } from '../codes.ts'

/** Most bytes of a receipt: what a QR code of the largest size holds, with some room. */
export const receiptBytes = 2900

/**
 * Records what was done with a content, and proves it: the text of a C2SP tlog-proof whose extra data is the entry.
 * Whoever knows the log's key can check it with nothing but the text.
 *
 * @param signer a person's or site's own key (Ed25519 or P-256), on top of the log's
 * @throws RECEIPT_TOO_LARGE
 */
export async function makeReceipt(
  audit: Audit,
  log: LogReader,
  said: Omit<ReceiptRecord, 'type' | 'signature'>,
  signer?: Signer,
): Promise<{ readonly text: string; readonly index: number }> {
  const unsigned: ReceiptRecord = { type: 'receipt', ...said }
  const record = signer ? await signed(unsigned, signer) : unsigned
  const index = await audit.append(record)
  const text = formatLogProof({ ...(await proveEntry(log, index)), extra: recordBytes(record) })
  const size = Buffer.byteLength(text)
  if (size > receiptBytes) {
    throw failure('RECEIPT_TOO_LARGE', `the receipt has ${size} bytes, and a QR code holds ${receiptBytes}`, {
      detail: { sizeBytes: size },
    })
  }
  return { text, index }
}

export interface ReceiptTrust extends CheckpointTrust {
  /** Who may have signed it; where there are any, one of them must have. */
  readonly keys?: readonly PublicKey[]
  /** What it must be about. */
  readonly content?: Digest
  /** What it must repeat: the question that the near side sent. */
  readonly challenge?: string
}

/** What a receipt says, and what shows it. */
export interface VerifiedReceipt {
  readonly record: ReceiptRecord
  readonly index: number
  readonly checkpoint: Checkpoint
  /** Key that signed it, where one of `keys` did. */
  readonly signer?: PublicKey
}

/**
 * Checks a receipt with nothing but what it holds and whom one believes.
 *
 * @throws RECEIPT_INVALID, RECEIPT_OTHER_CONTENT, RECEIPT_CHALLENGE, RECEIPT_UNSIGNED, SIGNATURE_INVALID, and what
 *   `parseLogProof` and `verifyLogProof` throw
 */
export async function verifyReceipt(
  text: string | Uint8Array,
  trust: ReceiptTrust,
): Promise<VerifiedReceipt> {
  const proof = parseLogProof(text)
  if (!proof.extra) throw failure('RECEIPT_INVALID', 'the proof does not hold the entry that it proves')
  const checkpoint = verifyLogProof(proof, proof.extra, trust)
  const record = parseRecord(proof.extra)
  if (record.type !== 'receipt')
    throw failure('RECEIPT_INVALID', `the entry is a ${record.type}, not a receipt`)
  if (trust.content !== undefined && record.content !== trust.content) {
    throw failure('RECEIPT_OTHER_CONTENT', `the receipt is for ${record.content}, not for ${trust.content}`)
  }
  if (trust.challenge !== undefined && record.challenge !== trust.challenge) {
    throw failure('RECEIPT_CHALLENGE', 'the receipt does not answer the challenge that was sent')
  }
  const signer = trust.keys && trust.keys.length > 0 ? await signerOf(record, trust.keys) : undefined
  return { record, index: proof.index, checkpoint, ...(signer && { signer }) }
}

async function signed(record: ReceiptRecord, signer: Signer): Promise<ReceiptRecord> {
  const { bytes, key } = await signer.sign(signedBytes(record))
  if (key.algorithm === 'rsa') {
    throw failure(
      'RECEIPT_TOO_LARGE',
      'a receipt is signed with Ed25519 or P-256: an RSA signature is too long',
    )
  }
  return { ...record, signature: { keyId: key.id, value: Buffer.from(bytes).toString('base64') } }
}

async function signerOf(record: ReceiptRecord, keys: readonly PublicKey[]): Promise<PublicKey> {
  const { signature } = record
  if (!signature) throw failure('RECEIPT_UNSIGNED', 'nobody but the log has signed the receipt')
  const key = keys.find(({ id }) => id === signature.keyId)
  if (!key) {
    throw failure(
      'RECEIPT_UNSIGNED',
      `the receipt is signed by ${signature.keyId}, which is not a key you named`,
    )
  }
  return keyVerifier(key).verify(signedBytes(record), Buffer.from(signature.value, 'base64'))
}

/** What is signed: what it is for, a line end, and the record without its signature. */
function signedBytes({ signature: _, ...record }: ReceiptRecord): Uint8Array {
  return Buffer.concat([Buffer.from('sealift.dev/receipt/v1\n'), canonicalJson(record as unknown as Json)])
}
