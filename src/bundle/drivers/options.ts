import type { Limits, OnProgress } from '#base/index.ts'
import type { Platform } from '#oci/index.ts'
import type { Volume } from './volume.ts'

/** What every driver on this machine takes. */
export interface LocalDriverOptions {
  /** Where root file systems are unpacked; only its owner may enter. Made where it is not there. */
  readonly workDirectory: string
  /** Folders of this machine that the operator gives to the run tool. */
  readonly volumes?: readonly Volume[]
  /** How long the run tool may take; no limit where it is not said. */
  readonly timeoutMs?: number
  /** Between SIGTERM and SIGKILL; 10 s where it is not said. */
  readonly graceMs?: number
  /** linux on this processor where it is not said. */
  readonly platform?: Platform
  readonly onProgress?: OnProgress
  readonly limits?: Limits
}

/** What a run is started with, once everything is in place. */
export interface Launch {
  /** The root file system. */
  readonly rootfs: string
  readonly mounts: readonly BindMount[]
  readonly environment: Readonly<Record<string, string>>
  readonly user: ContainerUser
  readonly workingDirectory: string
}

export interface BindMount {
  /** On this machine. */
  readonly from: string
  /** In the container: absolute, and free of links inside the root file system. */
  readonly to: string
  readonly readOnly: boolean
}

export interface ContainerUser {
  readonly uid: number
  readonly gid: number
  readonly home: string
}
