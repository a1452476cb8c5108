import { resolve } from 'node:path'
import { type BrokerServerLimits, type FileSystem, isFailure } from '#base/index.ts'
import type { TlsConfiguration } from '#broker/index.ts'
import { parseTlsFiles, WatchedFiles } from '#registry/server/index.ts'
import { failure } from '../codes.ts'
import type { ServingCertificate } from '../http/listener.ts'
import type { BrokerLog } from './broker-log.ts'

export interface WatchOptions {
  readonly fs: FileSystem
  /** That paths of the configuration are relative to. */
  readonly directory: string
  readonly limits: BrokerServerLimits
  readonly log: BrokerLog
}

export interface TlsMaterial extends ServingCertificate {
  readonly clientCa?: Buffer
}

/**
 * Certificate and key, and the authority of client certificates: read again when they change.
 * @throws TLS_FILES_INVALID, BROKER_ADMIN_KEYS_INVALID, FILE_SYSTEM
 */
export const watchTls = (
  { certificate, key }: TlsConfiguration,
  clientCa: string | undefined,
  watcher: Watcher,
  use: (material: TlsMaterial) => void,
): Promise<WatchedFiles<TlsMaterial>> =>
  watch<TlsMaterial>(
    'the TLS certificate',
    clientCa ? [certificate, key, clientCa] : [certificate, key],
    watcher,
    {
      parse: ([cert, privateKey, ca]) => {
        const files = parseTlsFiles([cert!, privateKey!])
        if (ca && !ca.includes('BEGIN CERTIFICATE')) {
          throw failure('BROKER_ADMIN_KEYS_INVALID', 'there is no certificate in admin.clientCa')
        }
        return { certificate: files.cert, key: files.key, ...(ca && { clientCa: ca }) }
      },
      use,
    },
  )

/** Who keeps watches: they end with the stack. */
export interface Watcher {
  readonly watching: WatchOptions
  readonly stack: AsyncDisposableStack
  readonly reloads: (() => Promise<void>)[]
}

/** Files that are looked at again and again; each change is told in the log. @throws FILE_SYSTEM, and what `parse` throws */
export async function watch<T>(
  what: string,
  paths: readonly string[],
  { watching: { fs, directory, limits, log }, stack, reloads }: Watcher,
  { parse, use }: { parse: (contents: readonly Buffer[]) => T; use?: (value: T) => void },
): Promise<WatchedFiles<T>> {
  const files = await WatchedFiles.open<T>({
    fs,
    paths: paths.map((path) => resolve(directory, path)),
    maxBytes: limits.fileBytes,
    parse,
    onChange: (change) => {
      if ('value' in change) {
        use?.(change.value)
        return log({ event: 'reloaded', level: 'info', what })
      }
      const message = isFailure(change.error) ? change.error.message : 'it cannot be read'
      log({ event: 'reloaded', level: 'error', what, message })
    },
  })
  files.watch(limits.filesMs)
  reloads.push(() => files.reload())
  return stack.use(files)
}
