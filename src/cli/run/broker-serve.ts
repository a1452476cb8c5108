import { resolve } from 'node:path'
import { type BrokerEvent, startBrokerServer } from '#server/index.ts'
import { openBrokerHere } from '../broker/open-broker-here.ts'
import type { BrokerServeFlags } from '../commands/broker-serve.ts'
import type { Context } from '../context.ts'
import { openSession } from '../session.ts'
import { printLine, tell } from '../shell/print.ts'

export async function run(this: Context, flags: BrokerServeFlags, directory: string): Promise<void> {
  await using session = await openSession(this, flags)
  const { signal } = session
  const log = (event: BrokerEvent) => report(this, event, flags.verbose)
  await using broker = await openBrokerHere(resolve(this.cwd, directory))
  const { face, configuration } = broker
  await using server = await startBrokerServer(
    { face, configuration, directory: broker.directory, log },
    flags.listen,
  )
  const stopped = new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  const reload = () => void server.reload()
  process.on('SIGHUP', reload)
  const { guestUrl: url, adminUrl } = server
  printLine(this, session.format, { url, ...(adminUrl !== undefined && { adminUrl }) }, url)
  await stopped.finally(() => process.off('SIGHUP', reload))
}

/** One line of JSON for each thing that happened: what went well only where it is asked for. */
function report(context: Context, event: BrokerEvent, verbose: boolean): void {
  if (event.event === 'request' && event.level === 'info' && !verbose) return
  tell(context, JSON.stringify({ time: new Date().toISOString(), ...event }))
}
