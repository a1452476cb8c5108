export interface Credentials {
  readonly user: string
  readonly password: string
}

/**
 * Whether an Authorization header names nobody: neither user nor password. So skopeo and podman answer our challenge
 * when they have no password, and mean a stranger.
 */
export const namesNobody = (header: string): boolean => /^[Bb][Aa][Ss][Ii][Cc] +Og==$/.test(header.trim())

/** Reads an Authorization header (RFC 7617). `undefined` for another scheme or what cannot be read. */
export function parseBasic(header: string): Credentials | undefined {
  const match = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(header.trim())
  if (!match) return undefined
  const text = Buffer.from(match[1]!, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  if (colon < 1 || text.includes('\0')) return undefined
  return { user: text.slice(0, colon), password: text.slice(colon + 1) }
}
