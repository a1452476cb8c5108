import { Listener, type ListenerOptions } from '../http/listener.ts'
import type { BrokerLog, ListenerName } from './broker-log.ts'
import { type Desk, Front, type FrontOptions } from './front.ts'
import { listenerLimits } from './listen-terms.ts'
import { onMalformed } from './malformed.ts'
import { PeerRates } from './peer-rates.ts'
import type { Watcher } from './watch.ts'

/** What both listeners stand on. */
export interface Shared
  extends Watcher,
    Pick<FrontOptions<never>, 'limits' | 'metrics' | 'log' | 'notReady'> {}

/** A listener that does not listen yet; it is closed with the stack. */
export function openListener<Who>(
  desk: Desk<Who>,
  { limits, metrics, log, notReady, stack }: Shared,
  {
    exposition,
    ...own
  }: Pick<ListenerOptions, 'tls' | 'clientCertificates'> & Pick<FrontOptions<Who>, 'exposition'>,
): Listener {
  const { requestsPerSecond: perSecond, requestBurst: burst, peers } = limits
  const front = new Front({
    ...{ desk, limits, metrics, log, notReady },
    rates: new PeerRates({ perSecond, burst, peers }),
    stopping: () => listener.stopping,
    ...(exposition && { exposition }),
  })
  const listener = new Listener({
    limits: listenerLimits(limits),
    onRequest: front.onRequest,
    onMalformed: onMalformed(desk.listener, metrics, log),
    ...own,
  })
  listener.signal.addEventListener('abort', () => front.giveUp())
  return stack.use(listener)
}

/** @returns the address that it has. @throws LISTEN_FAILED, LISTEN_ADDRESS_INVALID */
export async function listenFor(
  name: ListenerName,
  listener: Listener,
  address: string,
  log: BrokerLog,
): Promise<string> {
  const { url } = await listener.listen(address)
  log({ event: 'listening', level: 'info', listener: name, address: url })
  return url
}
