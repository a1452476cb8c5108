import { type BrokerServerLimits, brokerServerLimits } from '#base/index.ts'

const name = 'kbs-session-id'
/** A UUID without its dashes, as Trustee makes them. */
const form = /^[0-9a-f]{32}$/

/**
 * The session that a `Cookie` field names (RFC 6265 section 4.2.1): the first one of the right form, where other
 * services under the same host name have left cookies too.
 */
export function sessionOf(
  field: string | undefined,
  limits: BrokerServerLimits = brokerServerLimits,
): string | undefined {
  if (field === undefined) return undefined
  let start = 0
  for (let seen = 0; seen < limits.cookies && start < field.length; seen++) {
    const next = field.indexOf(';', start)
    const end = next < 0 ? field.length : next
    const mark = field.indexOf('=', start)
    if (mark > 0 && mark < end && field.slice(start, mark).trim() === name) {
      const value = field.slice(mark + 1, end).trim()
      if (form.test(value)) return value
    }
    start = end + 1
  }
  return undefined
}

/** As Trustee sends it, byte for byte. */
export const formatSessionCookie = ({
  value,
  expires,
}: {
  readonly value: string
  readonly expires: Date
}): string => `${name}=${value}; Expires=${expires.toUTCString()}`

/** The token of `Authorization: Bearer` (RFC 6750 section 2.1). */
export function bearerOf(field: string | undefined): string | undefined {
  if (field === undefined) return undefined
  return /^bearer +([A-Za-z0-9\-._~+/]+=*) *$/i.exec(field)?.[1]
}
