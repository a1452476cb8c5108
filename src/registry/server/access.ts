import type { IncomingMessage } from 'node:http'
import { refuse } from './codes.ts'
import type { PasswordFile } from './htpasswd.ts'
import type { Route } from './route.ts'

export type Verb = 'pull' | 'push' | 'delete' | 'catalog'

/** What is asked of whoever decides: the server is given a gate, it does not know one. */
export interface AccessRequest {
  /** The authenticated name; undefined for nobody. */
  readonly principal: string | undefined
  readonly verb: Verb
  readonly repository: string | undefined
  readonly signal: AbortSignal
}

export interface AccessAnswer {
  readonly allowed: boolean
  readonly reason?: string
}

export type Access = (request: AccessRequest) => Promise<AccessAnswer>

/** What a request does to which repository; undefined for what everybody may ask. */
export function verbOf(method: string, route: Route): Verb | undefined {
  if (route.resource === 'health' || route.resource === 'metrics' || route.resource === 'base')
    return undefined
  if (route.resource === 'catalog') return 'catalog'
  if (method === 'DELETE' && route.resource !== 'upload') return 'delete'
  if (route.resource === 'uploads' || route.resource === 'upload' || method === 'PUT') return 'push'
  return 'pull'
}

/**
 * The name that the request's Basic credentials prove (RFC 7617); undefined where it brings none.
 *
 * @throws REQUEST_REFUSED where they are wrong
 */
export async function authenticate(
  request: IncomingMessage,
  passwords: PasswordFile,
): Promise<string | undefined> {
  const header = request.headers.authorization
  if (header === undefined) return undefined
  const match = /^Basic ([A-Za-z0-9+/]{1,4096}={0,2})$/i.exec(header)
  const text = match ? Buffer.from(match[1] as string, 'base64').toString('utf8') : ''
  const colon = text.indexOf(':')
  if (colon < 0 || !(await passwords.check(text.slice(0, colon), text.slice(colon + 1)))) throw challenge()
  return text.slice(0, colon)
}

/** Asks for credentials. */
export const challenge = () =>
  refuse(401, 'UNAUTHORIZED', 'a user name and password are needed, or these are wrong', {
    headers: { 'www-authenticate': 'Basic realm="sealift", charset="UTF-8"' },
  })
