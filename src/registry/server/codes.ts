import { type CodeTable, type FailureOptions, failures, type SealiftError } from '#base/index.ts'

export const codes = {
  REQUEST_REFUSED: {
    meaning: 'The registry server refuses a request; the reply has the distribution-spec error code.',
    remedy: 'The reply says why.',
  },
  HTPASSWD_INVALID: {
    meaning: 'A line of the htpasswd file is not USER:BCRYPT-HASH.',
    remedy: 'Make it with `htpasswd -nB USER`; only bcrypt is taken.',
  },
  LISTEN_FAILED: {
    meaning: 'The server cannot listen at the address.',
    remedy: 'Choose another --listen HOST:PORT; port 0 takes any free one.',
  },
} as const satisfies CodeTable

export const failure = failures(codes)

/** The error codes of distribution-spec, Error Codes. */
export type SpecCode =
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

export interface Refused {
  readonly status: number
  readonly code: SpecCode
  readonly headers?: Readonly<Record<string, string>>
}

/** A request that gets an error reply: thrown anywhere below the server, written by it alone. */
export function refuse(
  status: number,
  code: SpecCode,
  message: string,
  options: FailureOptions & { readonly headers?: Readonly<Record<string, string>> } = {},
): SealiftError {
  const { headers, ...rest } = options
  return failure('REQUEST_REFUSED', message, {
    ...rest,
    detail: { ...options.detail, refused: { status, code, ...(headers && { headers }) } satisfies Refused },
  })
}
