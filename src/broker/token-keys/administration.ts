import { failure } from '../codes.ts'
import type { AdminHandlers } from '../face.ts'
import type { TokenKeys } from './types.ts'

/** `GET token-keys`: the JWK set; `POST token-keys/rotate`. */
export const tokenKeysAdministration = (keys: TokenKeys): AdminHandlers => ({
  handlers: {
    'token-keys': async ({ method, path: [, action, ...more] }, at, signal) => {
      if (more.length === 0 && method === 'POST' && action === 'rotate') await keys.rotate(at, signal)
      else if (method !== 'GET' || action !== undefined)
        throw failure('BROKER_PATH_UNKNOWN', 'keys of tokens are looked at, or rotated')
      return { mediaType: 'application/jwk-set+json', body: await keys.jwkSet(at), noStore: true }
    },
  },
  problems: {
    TOKEN_KEYS_BUSY: { status: 409, variant: 'PluginInternalError', detail: 'the next key waits already' },
  },
})
