import { type ErrorVariant, formatErrorBody } from '#attestation/index.ts'
import { isFailure } from '#base/index.ts'
import type { LimitName } from './broker-metrics.ts'

/** What a caller is told of a request that the broker was not asked about. */
export interface HttpProblem {
  readonly status: number
  readonly variant: ErrorVariant
  readonly detail: string
  /** Whose end it was. */
  readonly limit?: LimitName
}

/** Every failure that this folder makes for a request, and what becomes of it. */
const table: Readonly<Record<string, HttpProblem>> = {
  BROKER_TARGET_INVALID: {
    status: 404,
    variant: 'InvalidRequestPath',
    detail: 'there is no such path',
  },
  BROKER_QUERY_INVALID: { status: 400, variant: 'SerdeError', detail: 'the query cannot be read' },
  BROKER_METHOD_REFUSED: {
    status: 405,
    variant: 'InvalidRequestPath',
    detail: 'this method is not for this path',
  },
  BROKER_BODY_TOO_LARGE: {
    status: 413,
    variant: 'SerdeError',
    detail: 'the body is too large',
    limit: 'bodyBytes',
  },
  BROKER_BODY_BROKEN: { status: 400, variant: 'SerdeError', detail: 'the body is not whole' },
  BROKER_BODY_SLOW: {
    status: 408,
    variant: 'SerdeError',
    detail: 'the body came too slowly',
    limit: 'requestSeconds',
  },
  BROKER_TIMEOUT: {
    status: 503,
    variant: 'PluginInternalError',
    detail: 'no answer could be had in time',
    limit: 'requestSeconds',
  },
  BROKER_BUSY: {
    status: 503,
    variant: 'PluginInternalError',
    detail: 'too many requests are in work',
    limit: 'concurrent',
  },
  BROKER_BODIES_EXCEEDED: {
    status: 503,
    variant: 'PluginInternalError',
    detail: 'too many requests are in work',
    limit: 'bodiesBytes',
  },
  BROKER_STOPPING: { status: 503, variant: 'PluginInternalError', detail: 'the broker stops' },
  BROKER_RATE_EXCEEDED: {
    status: 429,
    variant: 'PluginInternalError',
    detail: 'too many requests',
    limit: 'requestsPerSecond',
  },
  BROKER_LOGINS_EXCEEDED: {
    status: 429,
    variant: 'AdminAuthAccess',
    detail: 'too many requests',
    limit: 'loginFailuresPerSecond',
  },
  // Why not is for the log alone.
  BROKER_ADMIN_UNKNOWN: {
    status: 401,
    variant: 'AdminAuthAccess',
    detail: 'the request does not prove who sent it',
  },
}

const failed: HttpProblem = { status: 500, variant: 'PluginInternalError', detail: 'the broker failed' }

export const httpProblemOf = (error: unknown): HttpProblem =>
  (isFailure(error) && Object.hasOwn(table, error.code) && table[error.code]) || failed

export const problemBody = ({ variant, detail }: HttpProblem): Uint8Array => formatErrorBody(variant, detail)
