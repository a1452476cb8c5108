import type { CommandContext } from '@stricli/core'

/** Where a command writes: the two streams of the process, or a test's. */
export interface Output {
  write(data: string | Uint8Array): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

/** All that a command knows of the world it runs in. */
export interface Context extends CommandContext {
  readonly process: { readonly stdout: Output; readonly stderr: Output; exitCode?: number | string | null }
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  /**
   * Asks the person at the terminal, without showing what is typed; undefined where there is no terminal.
   * @throws INTERRUPTED
   */
  readonly askHidden?: (question: string) => Promise<string | undefined>
  /** Aborted by SIGINT and SIGTERM, with INTERRUPTED as its reason. */
  readonly signal: AbortSignal
}
