import type { Source } from '#content/index.ts'
import type { Descriptor } from '#oci/index.ts'

/** A piece of what the run tool wrote, as it came. */
export interface LogEvent {
  readonly stream: 'stdout' | 'stderr'
  readonly bytes: Uint8Array
}

/** Where an image can be read now, its root resolved and its digest validated. */
export interface ImageLocation {
  readonly source: Pick<Source, 'open'>
  readonly root: Descriptor
}

/** One action to run in an invocation image: all that the contract puts in (102, 103), and what to take out. */
export interface Operation {
  readonly installation: string
  readonly action: string
  /** A ULID (102). */
  readonly revision: string
  /** The reference to run it from: the relocated one where there is a mapping. */
  readonly reference: string
  readonly image: ImageLocation
  /** All variables; a driver adds those of the image's config where they are not named here, and nothing else. */
  readonly environment: Readonly<Record<string, string>>
  /** Absolute path to content; parents are made. */
  readonly files: ReadonlyMap<string, Uint8Array>
  /** Name of an output to its path below /cnab/app/outputs. */
  readonly outputs: ReadonlyMap<string, string>
  /** Told as it comes; the run tool waits while this does. */
  readonly onLog?: (event: LogEvent) => void | Promise<void>
}

export interface OperationResult {
  /** 0 is success; a signal is 128 and its number, as shells say. */
  readonly exitCode: number
  /** What was written, by name; one that was not is not here. */
  readonly outputs: ReadonlyMap<string, Uint8Array>
}

/** How an invocation image runs. */
export interface Driver {
  readonly name: string
  /** The values of `imageType` (101) that it runs. */
  readonly imageTypes: readonly string[]
  /**
   * Runs /cnab/app/run and waits for its end. An exit code other than 0 is a result, not a failure.
   *
   * @throws ACTION_TIMEOUT, ACTION_CANCELED where the signal came (the run tool is stopped by then),
   * DRIVER_FAILED, DRIVER_UNAVAILABLE, OUTPUT_HOSTILE, OUTPUT_INVALID, ROOTFS_HOSTILE, VOLUME_INVALID
   */
  run(operation: Operation, signal: AbortSignal): Promise<OperationResult>
}
