import { type BrokerServerLimits, type FileSystem, nodeFileSystem } from '#base/index.ts'
import type { BrokerConfiguration, BrokerFace } from '#broker/index.ts'
import type { Listener } from '../http/listener.ts'
import { openAdmins } from './admins/open-admins.ts'
import type { BrokerLog } from './broker-log.ts'
import { BrokerMetrics } from './broker-metrics.ts'
import { guestsDesk } from './guests-desk.ts'
import { limitsOf } from './listen-terms.ts'
import { listenFor, openListener, type Shared } from './open-listener.ts'
import { readiness } from './readiness.ts'
import { watchTls } from './watch.ts'

export interface BrokerServerOptions {
  readonly face: BrokerFace
  readonly configuration: Pick<
    BrokerConfiguration,
    'issuer' | 'listen' | 'tls' | 'admin' | 'pki' | 'limits' | 'metrics'
  >
  /** That paths of the configuration are relative to. */
  readonly directory: string
  readonly log: BrokerLog
  readonly fs?: FileSystem
  /** Beneath what the configuration says. */
  readonly limits?: BrokerServerLimits
  readonly now?: () => Date
}

/** The listeners of a broker, running. Disposing of it lets requests in work end, for a while. */
export interface BrokerServer extends AsyncDisposable {
  readonly guestUrl: string
  readonly adminUrl?: string
  /** Reads certificates and keys again at once; never rejects, the log tells what became of it. */
  reload(): Promise<void>
}

const defaultListen = '127.0.0.1:8080'

/**
 * Starts the listeners: guests' always, admins' where it is configured.
 *
 * @param listen HOST:PORT for guests, over what the configuration says
 * @throws BROKER_ADMIN_UNPROTECTED, BROKER_ADMIN_KEYS_INVALID, TLS_FILES_INVALID, LISTEN_FAILED,
 * LISTEN_ADDRESS_INVALID, FILE_SYSTEM
 */
export async function startBrokerServer(
  options: BrokerServerOptions,
  listen?: string,
): Promise<BrokerServer> {
  const { face, configuration, directory, log, fs = nodeFileSystem, now } = options
  const { issuer, admin, tls, pki, metrics: place = 'admin' } = configuration
  const limits = limitsOf(configuration.limits, options.limits)
  const metrics = new BrokerMetrics(limits)
  const exposition = () => metrics.text(gaugesOf(face))
  await using stack = new AsyncDisposableStack()
  const shared: Shared = {
    ...{ limits, metrics, log, stack },
    notReady: readiness(face, limits),
    watching: { fs, directory, limits, log },
    reloads: [],
  }

  // Admins first: a broker that guests reach but nobody can administer would be half of one.
  const admins =
    admin &&
    (await openAdmins(face, shared, {
      ...{ admin, issuer },
      ...(now && { now }),
      ...(place === 'admin' && { exposition }),
    }))
  const files = tls && (await watchTls(tls, undefined, shared, (material) => guests.use(material)))
  const guests: Listener = openListener(guestsDesk(face), shared, {
    ...(place === 'guests' && { exposition }),
    ...(files && { tls: files.value }),
    ...(pki?.clientCertificates && { clientCertificates: {} }),
  })
  const guestUrl = await listenFor('guests', guests, listen ?? configuration.listen ?? defaultListen, log)

  const running = stack.move()
  return {
    guestUrl,
    ...(admins && { adminUrl: admins.url }),
    async reload() {
      for (const reload of shared.reloads) await reload()
    },
    async [Symbol.asyncDispose]() {
      if (running.disposed) return
      log({ event: 'stopping', level: 'info' })
      // At the same time: each waits for what it has in work.
      await Promise.all([guests.close(), admins?.listener.close()])
      await running.disposeAsync()
      log({ event: 'stopped', level: 'info' })
    },
  }
}

/** What a broker that cannot count at the moment leaves out. */
function gaugesOf(face: Pick<BrokerFace, 'gauges'>): Readonly<Record<string, number>> {
  try {
    return face.gauges()
  } catch {
    return {}
  }
}
