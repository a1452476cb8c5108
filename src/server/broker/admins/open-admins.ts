import type { AdminConfiguration, BrokerFace } from '#broker/index.ts'
import type { Listener } from '../../http/listener.ts'
import { checkAdminListener, isLoopbackHost } from '../listen-terms.ts'
import { listenFor, openListener, type Shared } from '../open-listener.ts'
import { PeerRates } from '../peer-rates.ts'
import { watch, watchTls } from '../watch.ts'
import { adminTrustPaths, parseAdminTrust } from './admin-trust.ts'
import { adminsDesk } from './admins-desk.ts'
import { adminAuthentication } from './authenticate-admin.ts'

export interface AdminsOptions {
  readonly admin: AdminConfiguration
  readonly issuer: string
  readonly now?: () => Date
  readonly exposition?: () => string
}

/**
 * The admins' listener, listening.
 * @throws BROKER_ADMIN_UNPROTECTED, BROKER_ADMIN_KEYS_INVALID, TLS_FILES_INVALID, LISTEN_FAILED,
 * LISTEN_ADDRESS_INVALID, FILE_SYSTEM
 */
export async function openAdmins(
  face: Pick<BrokerFace, 'admin'>,
  shared: Shared,
  { admin, issuer, now, exposition }: AdminsOptions,
): Promise<{ readonly url: string; readonly listener: Listener }> {
  checkAdminListener(admin)
  const { limits, log } = shared
  const trust = await watch('the keys of admins', adminTrustPaths(admin), shared, {
    parse: (contents) => parseAdminTrust(admin, contents, limits),
  })
  const { tls, clientCa } = admin
  const files = tls && (await watchTls(tls, clientCa, shared, (material) => listener.use(material)))
  const audiences = new Set<string>()
  const authenticate = adminAuthentication({
    trust: () => trust.value,
    audiences: () => audiences,
    certificates: files?.value.clientCa !== undefined,
    limits,
    ...(now && { now }),
  })
  const { loginFailuresPerSecond: perSecond, loginFailureBurst: burst, peers } = limits
  const failures = new PeerRates({ perSecond, burst, peers })
  const listener: Listener = openListener(adminsDesk(face, authenticate, failures), shared, {
    ...(files && { tls: files.value }),
    ...(files?.value.clientCa && { clientCertificates: { ca: files.value.clientCa } }),
    ...(exposition && { exposition }),
  })
  const url = await listenFor('admins', listener, admin.listen, log)
  for (const name of [issuer, admin.url, ...namesOf(url)]) {
    if (name === undefined) continue
    audiences.add(name)
    // An origin is written with and without the slash of its empty path, and without its usual port.
    if (URL.canParse(name) && new URL(name).pathname === '/') audiences.add(new URL(name).origin)
  }
  return { url, listener }
}

/** As admins may write the address of a listener: on loopback there are several ways. */
function namesOf(url: string): readonly string[] {
  const { protocol, hostname, port } = new URL(url)
  if (!isLoopbackHost(hostname.replace(/^\[|\]$/g, ''))) return [url]
  return [url, ...['localhost', '127.0.0.1', '[::1]'].map((name) => `${protocol}//${name}:${port}`)]
}
