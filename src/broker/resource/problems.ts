import type { Problems } from '../types.ts'

/** What callers are told of this room's failures. */
export const problems: Problems = {
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
