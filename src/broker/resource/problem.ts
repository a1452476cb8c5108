import { isFailure } from '#base/index.ts'

/** What a caller is told: a status of HTTP, the variant of Trustee's errors, and a text that gives nothing away. */
export interface Problem {
  readonly status: 400 | 403 | 404 | 405 | 413 | 500 | 503
  readonly variant: 'InvalidRequestPath' | 'PluginNotFound' | 'PolicyDeny' | 'PluginInternalError'
  readonly detail: string
}

const problems: Readonly<Record<string, Problem>> = {
  RESOURCE_PATH_INVALID: { status: 404, variant: 'InvalidRequestPath', detail: 'not a path of a resource' },
  RESOURCE_NOT_FOUND: { status: 404, variant: 'PluginInternalError', detail: 'no such resource' },
  RESOURCE_FORBIDDEN: { status: 403, variant: 'PolicyDeny', detail: 'not permitted' },
  // A guest whose init-data does not say what it must is told no more than that it may not.
  RESOURCE_FACT_INVALID: { status: 403, variant: 'PolicyDeny', detail: 'not permitted' },
  RESOURCE_QUERY_INVALID: { status: 400, variant: 'PluginInternalError', detail: 'the query is not valid' },
  RESOURCE_METHOD_INVALID: { status: 405, variant: 'PluginInternalError', detail: 'no such method' },
  SECRET_VALUE_TOO_LARGE: { status: 413, variant: 'PluginInternalError', detail: 'the value is too large' },
  RESOURCE_BUSY: { status: 503, variant: 'PluginInternalError', detail: 'busy: ask again' },
  SECRET_STORE_BUSY: { status: 503, variant: 'PluginInternalError', detail: 'busy: ask again' },
}

/** What to tell whoever asked; all that is known of the failure belongs into the log. */
export const problemOf = (error: unknown): Problem =>
  (isFailure(error) && Object.hasOwn(problems, error.code) && problems[error.code]) || {
    status: 500,
    variant: 'PluginInternalError',
    detail: 'the broker failed',
  }
