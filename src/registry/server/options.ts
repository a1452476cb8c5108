import type { FileSystem, ServerLimits } from '#base/index.ts'
import type { Repositories } from '#content/index.ts'
import type { Access } from './access.ts'
import type { OnAccess } from './access-records.ts'
import type { Admission } from './admission.ts'
import type { PasswordComparer } from './authentication/compare-password.ts'
import type { Sparse } from './context.ts'
import type { Log } from './request-log.ts'

export interface RegistryServerOptions {
  /** What is served. Where it has no `create`, or a repository is no `Store`, writing is answered 405. */
  readonly repositories: Repositories
  /** Decides every request. Without it: everybody may do everything, or users may, where there are passwords. */
  readonly access?: Access
  /** A file of access rules (docs/access.md), read again when it changes; not looked at where there is an `access`. */
  readonly accessRules?: { readonly path: string }
  /**
   * Keeps a record of each reading of content, each push and deletion of manifests and mount, and each refusal of
   * somebody who is known. Where not everybody may read, nothing is sent before the record is kept, and nothing at
   * all where keeping it fails.
   */
  readonly onAccess?: OnAccess
  /** Decides for each content whether its bytes may be sent. Without it all may. */
  readonly admission?: Admission
  /** PEM files; they are read again when they change. */
  readonly tls?: { readonly certificatePath: string; readonly keyPath: string }
  /** A bcrypt password file, read again when it changes. */
  readonly htpasswd?: {
    readonly path: string
    /** Whether pulling needs no password; it does where it is not said. Ignored where there is an `access`. */
    readonly anonymousPull?: boolean
  }
  /**
   * Whether what a pushed manifest names may be absent: never, children of an index, or also layers and configs
   * (where it is not said: the conformance suite's sparse part asks for it). Non-distributable layers and subjects
   * always may.
   */
  readonly sparse?: Sparse
  readonly limits?: Partial<ServerLimits>
  readonly log?: Log
  /** Milliseconds since some moment. */
  readonly now?: () => number
  readonly fs?: FileSystem
  readonly passwordComparer?: PasswordComparer
  /** How often the files above are looked at. */
  readonly reloadMs?: number
}

/** Where a server can be reached. */
export interface ServerAddress {
  readonly host: string
  readonly port: number
  /** HOST:PORT, as references begin with it. */
  readonly registry: string
  readonly url: string
}

/** A server that is made but does nothing before `listen`. Disposing closes it without grace. */
export interface RegistryServer extends AsyncDisposable {
  /**
   * Takes requests at HOST:PORT; port 0 takes any that is free.
   * @throws LISTEN_FAILED, LISTEN_ADDRESS_INVALID, TLS_FILES_INVALID, HTPASSWD_INVALID, FILE_SYSTEM
   */
  listen(address: string): Promise<ServerAddress>
  /** Reads the certificate, key and password files now, without waiting for the next look. */
  reload(): Promise<void>
  /**
   * Takes no further connection, finishes what is under way, and cuts off what is not done after `graceMs`
   * (10 s where it is not said). Uploads that are not finished can be resumed after a restart.
   */
  close(options?: { readonly graceMs?: number }): Promise<void>
}
