import { isFailure, type SealiftError } from '#base/index.ts'
import { failure } from '../codes.ts'

const unreachable = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EAI_FAIL',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'EADDRNOTAVAIL',
  'ETIMEDOUT',
  'UND_ERR_CONNECT_TIMEOUT',
])
const untrusted =
  /^(?:ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|CRL_|ERROR_IN_CERT|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH|UNHANDLED_CRITICAL|EPROTO$|ERR_OSSL_)/
const malformed = /^(?:HPE_|UND_ERR_HEADERS_OVERFLOW$|UND_ERR_RES_EXCEEDED)/

/** What a failed exchange means. A SealiftError (a source's failure, say) stays what it is. */
export function connectionFault(host: string, error: unknown): SealiftError {
  if (isFailure(error)) return error
  const code = codeOf(error)
  const why = reasonOf(error)
  const options = { cause: error, detail: { host, ...(code && { errno: code }) } }
  if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') {
    return failure('REGISTRY_STALLED', `${host} says nothing`, options)
  }
  if (malformed.test(code) || (error as Error).name === 'HTTPParserError') {
    return failure('REGISTRY_ANSWER_INVALID', `${host} does not answer as HTTP: ${why}`, options)
  }
  if (untrusted.test(code)) return failure('REGISTRY_TLS', `TLS with ${host} failed: ${why}`, options)
  if (unreachable.has(code)) {
    return failure('REGISTRY_UNREACHABLE', `${host} cannot be reached: ${why}`, options)
  }
  if (code === 'UND_ERR_ABORTED' || code === 'UND_ERR_PRX_TLS' || /^Proxy /.test(why)) {
    return failure('REGISTRY_UNREACHABLE', `the proxy before ${host} refused: ${why}`, options)
  }
  return failure('REGISTRY_CONNECTION_LOST', `the connection to ${host} broke: ${why}`, options)
}

/** Whether the same request may go better the next time. */
export const isPassing = (error: SealiftError): boolean =>
  error.code === 'REGISTRY_CONNECTION_LOST' ||
  error.code === 'REGISTRY_STALLED' ||
  error.code === 'REGISTRY_UNREACHABLE'

function codeOf(error: unknown): string {
  const { code, cause, errors } = error as { code?: unknown; cause?: unknown; errors?: unknown[] }
  if (typeof code === 'string' && code !== 'UND_ERR_SOCKET' && code !== '') return code
  // Happy eyeballs gathers one error per address.
  if (Array.isArray(errors) && errors.length > 0) return codeOf(errors[0])
  if (typeof cause === 'object' && cause !== null) return codeOf(cause)
  return typeof code === 'string' ? code : ''
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return error.errors[0].message
  return error.message || codeOf(error)
}
