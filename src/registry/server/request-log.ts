/**
 * One thing that happened, as facts. Never a secret: no header, no query, no body is in it.
 * Sizes in bytes of bodies, times in milliseconds.
 */
export type LogEvent =
  | {
      readonly event: 'request'
      readonly level: 'info' | 'error'
      readonly method: string
      readonly route: string
      readonly repository?: string
      /** The tag, digest or upload. */
      readonly reference?: string
      readonly status: number
      /** Whether the whole reply went out. */
      readonly complete: boolean
      readonly code?: string
      readonly receivedBytes: number
      readonly sentBytes: number
      readonly durationMs: number
      readonly remoteAddress?: string
      readonly user?: string
      readonly userAgent?: string
    }
  | {
      readonly event: 'damaged'
      readonly level: 'error'
      readonly repository: string
      readonly digest: string
      readonly message: string
    }
  | { readonly event: 'failure'; readonly level: 'error'; readonly route: string; readonly error: unknown }
  | {
      readonly event: 'listening' | 'stopping' | 'stopped'
      readonly level: 'info'
      readonly address?: string
    }
  | {
      readonly event: 'reloaded'
      readonly level: 'info' | 'error'
      readonly what: string
      readonly error?: unknown
    }

export type Log = (event: LogEvent) => void
