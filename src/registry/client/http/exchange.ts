import type { ByteReader } from '#content/index.ts'

/** Header fields by lower-case name; a field that was sent more than once is a list. */
export type HeaderFields = Readonly<Record<string, string | readonly string[] | undefined>>

/** A body of known size that is read from a source as it is sent; it can be sent once. */
export interface StreamedBody extends AsyncIterable<Uint8Array> {
  readonly sizeBytes: number
  /** Lets go of the source; to be called when the exchange is over, however it ended. */
  close(): Promise<void>
}

/** One HTTP request, as it goes out: no authorization, redirect or repeat happens below this line. */
export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array | StreamedBody | undefined
  readonly signal?: AbortSignal | undefined
  /** Size of the body that the answer will have, where it is known: large ones take another way. */
  readonly expectBytes?: number | undefined
  /** Longest wait for the answer to begin, in milliseconds. */
  readonly answerWithinMs?: number | undefined
}

export interface HttpResponse {
  readonly status: number
  readonly headers: HeaderFields
  /** To be read to its end or closed. */
  readonly body: ByteReader
}

/** The first field of this (lower-case) name. */
export function field(headers: HeaderFields, name: string): string | undefined {
  const value = headers[name]
  return typeof value === 'string' ? value : value?.[0]
}

/** All fields of this (lower-case) name. */
export function fields(headers: HeaderFields, name: string): readonly string[] {
  const value = headers[name]
  return value === undefined ? [] : typeof value === 'string' ? [value] : value
}

export const isStreamed = (body: HttpRequest['body']): body is StreamedBody =>
  body !== undefined && !(body instanceof Uint8Array)
