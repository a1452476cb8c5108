import type { Problems } from './types.ts'

/** What callers are told of refusals by the broker itself. */
export const problems: Problems = {
  // Not what was asked, nor why not: the log has both.
  BROKER_POLICY_DENIED: { status: 403, variant: 'PolicyDeny', detail: 'not permitted by the policy' },
  BROKER_PATH_UNKNOWN: { status: 404, variant: 'PluginNotFound', detail: 'no such call or plugin' },
  BROKER_ADMIN_ONLY: { status: 401, variant: 'AdminAuthAccess', detail: 'for admins' },
  BROKER_ADMIN_DENIED: { status: 403, variant: 'AdminAuthAccess', detail: 'not permitted' },
  ACCESS_RULES_INVALID: {
    status: 503,
    variant: 'AdminAuthAccess',
    detail: 'the access rules cannot be read',
  },
  BROKER_REQUEST_INVALID: { status: 400, variant: 'SerdeError', detail: 'the request cannot be read' },
}
