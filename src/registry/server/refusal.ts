import { isFailure } from '#base/index.ts'

/** The error codes of distribution-spec, Error Codes, and distribution's for all that is not the client's fault. */
export type WireCode =
  | 'BLOB_UNKNOWN'
  | 'BLOB_UPLOAD_INVALID'
  | 'BLOB_UPLOAD_UNKNOWN'
  | 'DIGEST_INVALID'
  | 'MANIFEST_BLOB_UNKNOWN'
  | 'MANIFEST_INVALID'
  | 'MANIFEST_UNKNOWN'
  | 'NAME_INVALID'
  | 'NAME_UNKNOWN'
  | 'SIZE_INVALID'
  | 'UNAUTHORIZED'
  | 'DENIED'
  | 'UNSUPPORTED'
  | 'TOOMANYREQUESTS'
  | 'UNKNOWN'

export interface RefusalOptions {
  readonly detail?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * An answer that is not the wished one, thrown to end a request. Not an Error: it is part of the protocol, is
 * thrown thousands of times a second (a client asking what is there), and a stack would tell nothing.
 */
export class Refusal {
  readonly status: number
  readonly code: WireCode
  readonly message: string
  readonly detail: unknown
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, code: WireCode, message: string, options: RefusalOptions = {}) {
    this.status = status
    this.code = code
    this.message = message
    this.detail = options.detail
    this.headers = options.headers ?? {}
  }

  /** distribution-spec, Error Codes: the body. */
  body(): Uint8Array {
    const { code, message, detail } = this
    return Buffer.from(
      JSON.stringify({ errors: [{ code, message, ...(detail !== undefined && { detail }) }] }),
    )
  }
}

type Answer = readonly [status: number, code: WireCode]

const answers: Readonly<Record<string, Answer>> = {
  CONTENT_READ_ONLY: [405, 'UNSUPPORTED'],
  DIGEST_MISMATCH: [400, 'DIGEST_INVALID'],
  DIGEST_INVALID: [400, 'DIGEST_INVALID'],
  SIZE_MISMATCH: [400, 'SIZE_INVALID'],
  UPLOAD_UNKNOWN: [404, 'BLOB_UPLOAD_UNKNOWN'],
  MANIFEST_INVALID: [400, 'MANIFEST_INVALID'],
  MANIFEST_UNSUPPORTED: [400, 'MANIFEST_INVALID'],
  DESCRIPTOR_INVALID: [400, 'MANIFEST_INVALID'],
  GRAPH_TOO_WIDE: [400, 'MANIFEST_INVALID'],
  JSON_INVALID: [400, 'MANIFEST_INVALID'],
  JSON_TOO_LARGE: [413, 'SIZE_INVALID'],
  JSON_TOO_DEEP: [400, 'MANIFEST_INVALID'],
  JSON_FORBIDDEN_KEY: [400, 'MANIFEST_INVALID'],
  CONTENT_DAMAGED: [500, 'UNKNOWN'],
  DISK_FULL: [507, 'UNKNOWN'],
}

/** What a failure below is to the client. What is not known tells nothing about the inside. */
export function refusalOf(error: unknown, notFound: WireCode): Refusal {
  if (error instanceof Refusal) return error
  if (!isFailure(error)) return new Refusal(500, 'UNKNOWN', 'the registry failed; its log says more')
  if (error.code === 'CONTENT_NOT_FOUND') return new Refusal(404, notFound, error.message)
  const answer = answers[error.code]
  if (!answer)
    return new Refusal(500, 'UNKNOWN', 'the registry failed; its log says more', {
      detail: { code: error.code },
    })
  const message = error.code === 'DISK_FULL' ? 'the registry has no space left' : error.message
  return new Refusal(...answer, message, { detail: { code: error.code } })
}
