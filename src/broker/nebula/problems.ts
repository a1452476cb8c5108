import type { Problems } from '../types.ts'

const badRequest = {
  status: 400,
  variant: 'PluginInternalError',
  detail: 'the request is not valid',
} as const
const forbidden = { status: 403, variant: 'PolicyDeny', detail: 'not permitted' } as const
const busy = { status: 503, variant: 'PluginInternalError', detail: 'busy: ask again' } as const
const conflict = (detail: string) => ({ status: 409, variant: 'PluginInternalError', detail }) as const

/** What callers are told of failures with leases and Nebula; whose name or address it is they are not. */
export const problems: Problems = {
  NEBULA_REQUEST_INVALID: badRequest,
  NEBULA_TERMS_INVALID: badRequest,
  NEBULA_KEY_INVALID: badRequest,
  NEBULA_PATH_UNKNOWN: {
    status: 404,
    variant: 'InvalidRequestPath',
    detail: 'there is nothing of this name',
  },
  // Attesting again the same way helps none of these: 401 would make a guest try.
  NEBULA_CALLER_REFUSED: forbidden,
  NEBULA_POSSESSION_UNPROVED: { ...forbidden, detail: 'the public key was not shown to be the caller’s' },
  NEBULA_ROTATION_PENDING: conflict('an authority is announced already'),
  NEBULA_AUTHORITY_NOT_FOUND: { status: 404, variant: 'PluginInternalError', detail: 'no such authority' },
  NEBULA_BUSY: busy,
  LEASE_REQUEST_INVALID: badRequest,
  LEASE_NAME_TAKEN: conflict('the name is taken'),
  LEASE_ADDRESS_TAKEN: conflict('the address is taken'),
  LEASE_ADDRESS_DIFFERS: conflict('the name has another address'),
  LEASE_POOL_EXHAUSTED: { ...busy, detail: 'there is no free address' },
  LEASE_HOLDER_REVOKED: forbidden,
  LEASE_NOT_FOUND: { status: 404, variant: 'PluginInternalError', detail: 'no such lease' },
  LEASE_BUSY: busy,
  SECRET_STORE_BUSY: busy,
}
