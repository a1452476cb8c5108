import type { X509Certificate } from 'node:crypto'
import { formatPrincipal, type Principal, parsePrincipal } from '#access/index.ts'

/** How node writes one URI among alternative names: others than plain ones it puts into quotes. */
const spiffeName = /^URI:(spiffe:\/\/[a-z0-9._-]{1,255}(?:\/[A-Za-z0-9._-]{1,255}){0,16})$/

/**
 * Whom a client certificate names: its one SPIFFE ID (SPIFFE X509-SVID section 2), or else its one common name.
 * Undefined where that is not clear.
 */
export function certificatePrincipal(certificate: X509Certificate): Principal | undefined {
  const uris = certificate.subjectAltName?.split(', ').filter((name) => name.startsWith('URI:')) ?? []
  if (uris.length > 1) return undefined
  const name = uris[0] === undefined ? commonName(certificate) : spiffeName.exec(uris[0])?.[1]
  if (name === undefined) return undefined
  try {
    const principal = parsePrincipal(`certificate:${name}`)
    return formatPrincipal(principal) === `certificate:${name}` ? principal : undefined
  } catch {
    return undefined
  }
}

/** A common name never looks like a SPIFFE ID: that is for whoever has one. */
function commonName({ subject }: X509Certificate): string | undefined {
  const [name, ...more] = subject?.split('\n').filter((line) => line.startsWith('CN=')) ?? []
  const text = name?.slice(3)
  // Node escapes what could be taken for more than one name; such names are nobody's.
  if (text === undefined || more.length > 0 || /[\\"+]/.test(text) || text.startsWith('spiffe:'))
    return undefined
  return text
}
