import { setTimeout as delay } from 'node:timers/promises'
import { isFailure, type Json, type Limits, limits, parseJson, type SealiftError } from '#base/index.ts'
import type { CallOptions } from '#content/index.ts'
import { hostName, isLoopback } from '#oci/index.ts'
import { failure } from '../codes.ts'

/** What bounds one call to an authority or a log. */
export type ServiceLimits = Pick<Limits, 'answerBytes' | 'signingMs' | 'signingRetries'>

/** One question to a signing service. */
export interface ServiceCall extends CallOptions {
  /** For messages: `the certificate authority`. */
  readonly who: string
  readonly url: string
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array<ArrayBuffer>
  readonly limits?: ServiceLimits
}

export interface ServiceAnswer {
  readonly status: number
  readonly bytes: Uint8Array
  readonly headers: Headers
}

/**
 * Asks a signing service once, or again where it did not answer or said that it could not (408, 429, 5xx). The
 * whole answer is read, up to a limit. Redirects are refused: they would carry a token to where nobody sent it.
 *
 * @throws SIGNING_SERVICE_UNREACHABLE, SIGNING_SERVICE_ANSWER_INVALID, USAGE-like SIGNING_URL_INVALID
 */
export async function askService(call: ServiceCall): Promise<ServiceAnswer> {
  const bounds = call.limits ?? limits
  for (let attempt = 0; ; attempt++) {
    const answer = await askOnce(call, bounds).catch((error: unknown) => {
      call.signal?.throwIfAborted()
      if (isFailure(error, 'SIGNING_SERVICE_UNREACHABLE') && attempt < bounds.signingRetries) return error
      throw error
    })
    const isOver = attempt >= bounds.signingRetries
    if (!(answer instanceof Error) && (!isWorthAnother(answer.status) || isOver)) return answer
    await delay(250 * 2 ** attempt, undefined, call.signal ? { signal: call.signal } : {})
  }
}

const isWorthAnother = (status: number): boolean => status === 408 || status === 429 || status >= 500

async function askOnce(call: ServiceCall, bounds: ServiceLimits): Promise<ServiceAnswer> {
  const { who, url, method = 'POST', headers = {}, body } = call
  const timeOut = AbortSignal.timeout(bounds.signingMs)
  const signal = call.signal ? AbortSignal.any([call.signal, timeOut]) : timeOut
  try {
    const response = await fetch(url, {
      method,
      headers,
      redirect: 'error',
      signal,
      ...(body !== undefined && { body }),
    })
    const bytes = await readAnswer(response, who, bounds.answerBytes)
    return { status: response.status, bytes, headers: response.headers }
  } catch (cause) {
    if (isFailure(cause)) throw cause
    const why = timeOut.aborted ? `no answer within ${bounds.signingMs} ms` : reasonOf(cause)
    throw failure('SIGNING_SERVICE_UNREACHABLE', `${who} at ${originOf(url)} cannot be asked: ${why}`, {
      cause,
    })
  }
}

async function readAnswer(response: Response, who: string, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  for await (const chunk of response.body ?? []) {
    sizeBytes += chunk.length
    if (sizeBytes > maxBytes) throw answerInvalid(who, `it is longer than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** fetch says only that it failed; its cause says why. */
function reasonOf(error: unknown): string {
  const { cause } = error as { cause?: unknown }
  const inner = cause instanceof Error ? cause : (error as Error)
  return (inner as { code?: string }).code ?? inner.message
}

const originOf = (url: string): string => URL.parse(url)?.origin ?? url

/** What the service answered, where it was not what was asked for. A service's own words are cut short. */
export function serviceRefusal(who: string, { status, bytes }: ServiceAnswer): SealiftError {
  const text = Buffer.from(bytes.subarray(0, 2000)).toString()
  const said = messageIn(text)
    .replace(/[^\x20-\x7e]+/g, ' ')
    .slice(0, 300)
  return failure('SIGNING_SERVICE_REFUSED', `${who} refused (HTTP ${status})${said ? `: ${said}` : ''}`)
}

function messageIn(text: string): string {
  try {
    const body = JSON.parse(text) as { message?: unknown } | null
    return typeof body?.message === 'string' ? body.message : text
  } catch {
    return text
  }
}

export const answerInvalid = (who: string, why: string, cause?: unknown): SealiftError =>
  failure('SIGNING_SERVICE_ANSWER_INVALID', `the answer of ${who} makes no sense: ${why}`, { cause })

/** The answer's JSON. @throws SIGNING_SERVICE_ANSWER_INVALID */
export function answerJson(who: string, bytes: Uint8Array): Json {
  try {
    return parseJson(bytes, { maxBytes: limits.answerBytes })
  } catch (cause) {
    throw answerInvalid(who, (cause as Error).message, cause)
  }
}

/**
 * A service's URL with nothing at its end. Identity tokens and what is to be signed go there, so it is HTTPS, or
 * this machine.
 *
 * @throws SIGNING_URL_INVALID
 */
export function serviceUrl(text: string): string {
  const url = URL.parse(text)
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash) {
    throw failure('SIGNING_URL_INVALID', `${JSON.stringify(text.slice(0, 200))} is not the URL of a service`)
  }
  if (url.protocol === 'http:' && !isLoopback(hostName(url.host))) {
    throw failure('SIGNING_URL_INVALID', `${url.origin} is asked over plain HTTP, and is not this machine`)
  }
  return url.href.replace(/\/+$/, '')
}
