import type { Problem, Problems } from '../types.ts'

const problem = (status: Problem['status'], detail: string, variant = 'PluginInternalError'): Problem => ({
  status,
  variant,
  detail,
})
const badRequest = problem(400, 'the certificate request is refused')

/** What callers are told of the PKI's failures. */
export const problems: Problems = {
  PKI_REQUEST_INVALID: problem(400, 'the request is not valid'),
  CERTIFICATE_REQUEST_INVALID: badRequest,
  KEY_TYPE_REFUSED: badRequest,
  // Not which name, nor whether somebody has it: that would tell of others.
  PKI_NAME_REFUSED: problem(403, 'not permitted', 'PolicyDeny'),
  PKI_NAME_TAKEN: problem(409, 'the name is taken'),
  PKI_CALLER_REFUSED: problem(403, 'not permitted', 'PolicyDeny'),
  PKI_TOO_MANY: problem(429, 'too many certificates'),
  PKI_NOT_FOUND: problem(404, 'no such thing'),
  PKI_BUSY: problem(503, 'busy: ask again'),
  SECRET_STORE_BUSY: problem(503, 'busy: ask again'),
}
