import { type BrokerServerLimits, brokerServerLimits } from '#base/index.ts'
import type { AdminConfiguration, BrokerConfiguration } from '#broker/index.ts'
import { parseListenAddress } from '#registry/server/index.ts'
import { failure } from '../codes.ts'
import type { ListenerLimits } from '../http/listener.ts'

/** The limits with what a configuration says of them. */
export function limitsOf(
  configured: BrokerConfiguration['limits'] = {},
  limits: BrokerServerLimits = brokerServerLimits,
): BrokerServerLimits {
  const { requestsPerSecond, requestBurst, loginFailuresPerSecond, bodyBytes, concurrent } = configured
  const { bodiesBytes, requestSeconds, headersSeconds, connections, stopSeconds } = configured
  const burst = requestBurst ?? (requestsPerSecond === undefined ? undefined : 2 * requestsPerSecond)
  return {
    ...limits,
    ...(requestsPerSecond !== undefined && { requestsPerSecond }),
    ...(burst !== undefined && { requestBurst: Math.max(1, burst) }),
    ...(loginFailuresPerSecond !== undefined && { loginFailuresPerSecond }),
    ...(bodyBytes !== undefined && { bodyBytes, drainBytes: Math.max(bodyBytes, limits.drainBytes) }),
    ...(bodiesBytes !== undefined && { bodiesBytes }),
    ...(requestSeconds !== undefined && { requestMs: requestSeconds * 1000 }),
    ...(headersSeconds !== undefined && { headersMs: headersSeconds * 1000 }),
    ...(concurrent !== undefined && { concurrent }),
    ...(connections !== undefined && { connections }),
    ...(stopSeconds !== undefined && { stopMs: stopSeconds * 1000 }),
  }
}

/** A request ends by its own deadline first, which still gets an answer out. */
export function listenerLimits(limits: BrokerServerLimits): ListenerLimits {
  const wholeRequestMs = Math.max(limits.requestMs, limits.headersMs) + 2_000
  return { ...limits, wholeRequestMs }
}

/** Admins' secrets and tokens go over this listener as they are. @throws BROKER_ADMIN_UNPROTECTED, LISTEN_ADDRESS_INVALID */
export function checkAdminListener({ listen, tls }: Pick<AdminConfiguration, 'listen' | 'tls'>): void {
  const { host } = parseListenAddress(listen)
  if (tls || isLoopbackHost(host)) return
  throw failure(
    'BROKER_ADMIN_UNPROTECTED',
    `admin.listen is ${listen}, which others reach, and there is no admin.tls`,
  )
}

/** @param host absent: all addresses of the machine */
export const isLoopbackHost = (host: string | undefined): boolean =>
  host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host ?? '')
