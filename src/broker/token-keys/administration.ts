import { failure } from '../codes.ts'
import type { AdminHandlers } from '../face.ts'
import type { TokenKeys } from './types.ts'

/** `GET token-keys`: the JWK set; `POST token-keys/rotate`; `POST token-keys/replace` for keys that others may have. */
export const tokenKeysAdministration = (keys: TokenKeys): AdminHandlers => ({
  handlers: {
    'token-keys': async ({ method, path: [, action, ...more] }, at, signal) => {
      const change = more.length === 0 && method === 'POST' ? action : undefined
      if (change === 'rotate') await keys.rotate(at, signal)
      else if (change === 'replace') await keys.replace(at, signal)
      else if (method !== 'GET' || action !== undefined)
        throw failure('BROKER_PATH_UNKNOWN', 'keys of tokens are looked at, rotated or replaced')
      return { mediaType: 'application/jwk-set+json', body: await keys.jwkSet(at), noStore: true }
    },
  },
  problems: {
    TOKEN_KEYS_BUSY: { status: 409, variant: 'PluginInternalError', detail: 'the next key waits already' },
  },
})
