export type ListenerName = 'guests' | 'admins'

/**
 * One thing that happened, as facts: a line of JSON each. Never a secret: no cookie, token, body or header is in it, and
 * of a query the names alone that a certificate or a lease was refused for. A path is told only where the broker knows the call: its names are those of resources and policies,
 * which the audit log has too; any other path may be something that somebody put into the wrong place.
 */
export type BrokerEvent =
  | {
      readonly event: 'request'
      readonly level: 'info' | 'warn' | 'error'
      readonly listener: ListenerName
      /** Which kind of call: `auth`, `attest`, `resource`...; `unknown`, or `refused` before it was looked at. */
      readonly call: string
      /** Names behind the call, percent-encoded. */
      readonly path?: string
      readonly status: number
      readonly code?: string
      /** All that is known of why not, more than the caller was told. */
      readonly message?: string
      /** Who asked, as far as it was proved. */
      readonly caller?: string
      /** Address of the peer. */
      readonly peer: string
      readonly durationMs: number
      /** Of the audit log. */
      readonly entry?: number
    }
  | {
      /** What the broker threw though it should not have: never part of a reply. */
      readonly event: 'failure'
      readonly level: 'error'
      readonly listener: ListenerName
      readonly message: string
    }
  | {
      /** What never became a request. */
      readonly event: 'malformed'
      readonly level: 'warn'
      readonly listener: ListenerName
      readonly peer: string
      readonly code: string
    }
  | {
      readonly event: 'listening' | 'stopping' | 'stopped'
      readonly level: 'info'
      readonly listener?: ListenerName
      readonly address?: string
    }
  | {
      /** Certificates or keys were read again, or could not be and the old ones stay. */
      readonly event: 'reloaded'
      readonly level: 'info' | 'error'
      readonly what: string
      readonly message?: string
    }

export type BrokerLog = (event: BrokerEvent) => void
