import { isFailure, limits, type SealiftError } from '#base/index.ts'
import { parseCheckpoint } from './checkpoint.ts'
import { failure } from './codes.ts'
import { hashBytes } from './hash.ts'
import { decodeText, parseBase64, parseDecimal } from './note.ts'
import type { Cosigner, CosignRequest } from './types.ts'

/** What is sent to a witness, and what it answers: HTTP, without the HTTP. */
export interface WitnessAnswer {
  readonly status: number
  readonly contentType: string
  readonly body: string
}

/** C2SP tlog-witness, add-checkpoint: no proof is longer. */
const mostHashes = 63
const sizeType = 'text/x.tlog.size'
const textType = 'text/plain; charset=utf-8'

/** The body of an add-checkpoint request (C2SP tlog-witness). */
export function formatCosignRequest({ oldSize, proof, checkpoint }: CosignRequest): string {
  const hashes = proof.map((hash) => `${Buffer.from(hash).toString('base64')}\n`)
  return `old ${oldSize}\n${hashes.join('')}\n${checkpoint}`
}

/** @throws CHECKPOINT_INVALID, NOTE_INVALID */
export function parseCosignRequest(body: Uint8Array): CosignRequest {
  const invalid = (why: string) => failure('CHECKPOINT_INVALID', `not a request for a cosignature: ${why}`)
  if (body.length > limits.noteBytes) throw invalid('it is over the limit')
  const text = decodeText(body)
  if (text === undefined) throw invalid('it is not UTF-8')
  const end = text.indexOf('\n\n')
  if (end < 0) throw invalid('no empty line stands before a checkpoint')
  const [first = '', ...lines] = text.slice(0, end).split('\n')
  const oldSize = first.startsWith('old ') ? parseDecimal(first.slice('old '.length)) : undefined
  if (oldSize === undefined) throw invalid('it has no old size')
  if (lines.length > mostHashes) throw invalid(`it has more than ${mostHashes} hashes`)
  const proof = lines.map((line) => {
    const hash = parseBase64(line)
    if (hash?.length !== hashBytes) throw invalid('a line is not a hash of 32 bytes in base64')
    return hash
  })
  const checkpoint = text.slice(end + 2)
  if (oldSize > parseCheckpoint(checkpoint).size) throw invalid('its old size is beyond the checkpoint')
  return { oldSize, proof, checkpoint }
}

/**
 * What a witness's server answers to `POST PREFIX/add-checkpoint`.
 *
 * @throws what is no answer to the request: the disk, a bug
 */
export async function answerCosignRequest(witness: Cosigner, body: Uint8Array): Promise<WitnessAnswer> {
  try {
    const lines = await witness.cosign(parseCosignRequest(body))
    return { status: 200, contentType: textType, body: lines }
  } catch (error) {
    const status = isFailure(error) ? statuses[error.code] : undefined
    if (status === undefined) throw error
    const { code, message, detail } = error as SealiftError
    return code === 'WITNESS_CONFLICT'
      ? { status, contentType: sizeType, body: `${detail.size}\n` }
      : { status, contentType: textType, body: `${code}: ${message}\n` }
  }
}

/** C2SP tlog-witness, add-checkpoint. */
const statuses: Readonly<Record<string, number>> = {
  CHECKPOINT_INVALID: 400,
  NOTE_INVALID: 400,
  NOTE_SIGNATURE_INVALID: 403,
  NOTE_KEY_UNKNOWN: 403,
  WITNESS_UNKNOWN_LOG: 404,
  WITNESS_CONFLICT: 409,
  LOG_PROOF_INVALID: 422,
  LOG_FORKED: 422,
  LOG_BUSY: 503,
}

/**
 * A witness behind a network.
 *
 * @param post sends a body to `PREFIX/add-checkpoint`, and bounds the answer and the time it takes
 */
export function remoteWitness(name: string, post: (body: string) => Promise<WitnessAnswer>): Cosigner {
  return {
    name,
    async cosign(request) {
      const { status, contentType, body } = await post(formatCosignRequest(request))
      if (status === 200) return body
      const size = status === 409 && contentType === sizeType ? parseDecimal(body.trimEnd()) : undefined
      if (size !== undefined) {
        throw failure('WITNESS_CONFLICT', `${name} has seen ${size} entries`, { detail: { size } })
      }
      if (status === 404) throw failure('WITNESS_UNKNOWN_LOG', `${name} does not watch over this log`)
      throw failure(
        refusals[status] ?? 'NOTE_KEY_UNKNOWN',
        `${name} refuses to cosign: it answered ${status}`,
      )
    },
  }
}

const refusals: Readonly<Record<number, 'LOG_FORKED' | 'CHECKPOINT_INVALID' | 'LOG_BUSY'>> = {
  400: 'CHECKPOINT_INVALID',
  422: 'LOG_FORKED',
  503: 'LOG_BUSY',
}

/** Posts with `fetch` to a witness whose submission prefix is an http(s) URL. */
export function witnessAt(
  url: URL,
  { timeoutMs = limits.answerMs }: { readonly timeoutMs?: number } = {},
): (body: string) => Promise<WitnessAnswer> {
  const address = `${url.href.replace(/\/$/, '')}/add-checkpoint`
  return async (body) => {
    const signal = AbortSignal.timeout(timeoutMs)
    const answer = await fetch(address, { method: 'POST', body, signal, redirect: 'error' })
    const chunks: Uint8Array[] = []
    let bytes = 0
    for await (const chunk of answer.body ?? []) {
      bytes += chunk.length
      if (bytes > limits.noteBytes) throw failure('NOTE_INVALID', `${address} answers with more than a note`)
      chunks.push(chunk)
    }
    const contentType = answer.headers.get('content-type') ?? ''
    return { status: answer.status, contentType, body: Buffer.concat(chunks).toString() }
  }
}
