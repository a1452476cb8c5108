import { failure } from './codes.ts'

/** Whether a URL may be spoken to: HTTPS always, plain HTTP where it is asked for or on loopback. */
export type MayConnect = (url: URL) => boolean

export const isRedirect = (status: number): boolean =>
  status === 301 || status === 302 || status === 303 || status === 307 || status === 308

/**
 * Where a redirect leads. Only to http and https, never from https to http, and to plain HTTP only where that is
 * allowed; a URL with a name and password in it is refused.
 *
 * @throws REGISTRY_REDIRECT_REFUSED
 */
export function redirectTarget(from: URL, location: string | undefined, mayConnect: MayConnect): URL {
  const refuse = (why: string) =>
    failure('REGISTRY_REDIRECT_REFUSED', `${from.host} redirects ${why}`, { detail: { host: from.host } })
  if (location === undefined) throw refuse('without saying where to')
  const to = URL.parse(location, from)
  if (!to) throw refuse('to what is not a URL')
  if (to.protocol !== 'https:' && to.protocol !== 'http:') throw refuse(`to a ${to.protocol} URL`)
  if (to.username !== '' || to.password !== '') throw refuse('to a URL with a password in it')
  if (from.protocol === 'https:' && to.protocol === 'http:')
    throw refuse(`from HTTPS to plain HTTP on ${to.host}`)
  if (!mayConnect(to)) throw refuse(`to plain HTTP on ${to.host}`)
  return to
}

/**
 * Where an upload goes on. A registry behind a proxy that ends TLS often names itself with http: on its own host
 * that is read as https.
 *
 * @throws REGISTRY_REDIRECT_REFUSED
 */
export function uploadLocation(from: URL, location: string | undefined, mayConnect: MayConnect): URL {
  const to = location === undefined ? null : URL.parse(location, from)
  if (to && from.protocol === 'https:' && to.protocol === 'http:' && to.hostname === from.hostname) {
    if (to.port === '' || to.port === from.port) to.protocol = 'https:'
  }
  return redirectTarget(from, to?.href ?? location, mayConnect)
}
