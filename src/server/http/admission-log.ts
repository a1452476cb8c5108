/** One thing that happened, as facts: a line of JSON each. Never a secret: no header and no object is in it. */
export type AdmissionEvent =
  | {
      readonly event: 'review'
      readonly level: 'info' | 'warn'
      readonly webhook: 'validate' | 'mutate'
      readonly uid: string
      readonly operation: string
      readonly kind: string
      readonly namespace: string
      readonly name: string
      readonly user: string
      readonly dryRun: boolean
      readonly outcome: string
      /** Why not, line by line. */
      readonly lines: readonly string[]
      readonly entry?: string
      readonly durationMs: number
    }
  | {
      readonly event: 'refused'
      readonly level: 'warn'
      readonly code: string
      readonly status: number
      readonly message: string
    }
  | { readonly event: 'failure'; readonly level: 'error'; readonly uid: string; readonly message: string }
  | {
      readonly event: 'listening' | 'stopping' | 'stopped'
      readonly level: 'info'
      readonly address?: string
    }
  | {
      readonly event: 'certificate'
      readonly level: 'info' | 'error'
      /** What became of it: issued, authority, failed. */
      readonly what: string
      readonly until?: string
      readonly message?: string
    }
  | {
      readonly event: 'reloaded'
      readonly level: 'info' | 'error'
      readonly what: string
      readonly message?: string
    }

export type AdmissionLog = (event: AdmissionEvent) => void
