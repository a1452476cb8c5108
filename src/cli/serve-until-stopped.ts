import { isLoopback } from '#oci/index.ts'
import { createRegistryServer, type LogEvent, type RegistryServerOptions } from '#registry/server/index.ts'
import type { Context } from './context.ts'
import { type Format, printLine, tell } from './shell/print.ts'

export interface Serving {
  /** HOST:PORT. */
  readonly listen: string
  readonly verbose: boolean
  /** What is served, as somebody wrote it. */
  readonly served: string
}

/**
 * Serves until SIGINT or SIGTERM. The first line on stdout says where, once requests are taken. Being stopped is
 * how a server ends, so it is no failure. SIGHUP has certificates and passwords read again at once.
 *
 * @throws LISTEN_FAILED, LISTEN_ADDRESS_INVALID, TLS_FILES_INVALID, HTPASSWD_INVALID, FILE_SYSTEM
 */
export async function serveUntilStopped(
  context: Context,
  format: Format,
  options: Omit<RegistryServerOptions, 'log'>,
  { listen, verbose, served }: Serving,
): Promise<void> {
  const { signal } = context
  await using server = createRegistryServer({ ...options, log: (event) => report(context, event, verbose) })
  const { url, registry, host, port } = await server.listen(listen)
  const stopped = new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  const reload = () => void server.reload()
  process.on('SIGHUP', reload)
  printLine(context, format, { url, registry, host, port, location: served }, url)
  await stopped.finally(() => process.off('SIGHUP', reload))
  await server.close()
}

/** Says that strangers may push, where they may. */
export function warnIfOpen(context: Context, listen: string, hasPasswords: boolean): void {
  if (hasPasswords || isLoopback(listen)) return
  tell(context, `note: everybody who reaches ${listen} may push, as there are no passwords (--htpasswd)`)
}

/** One line of JSON for each thing that happened: what fails is always told, the rest only where asked for. */
function report(context: Context, event: LogEvent, verbose: boolean): void {
  if (!verbose && event.level !== 'error') return
  const failed = 'error' in event && event.error instanceof Error ? { error: event.error.message } : {}
  tell(context, JSON.stringify({ time: new Date().toISOString(), ...event, ...failed }))
}
