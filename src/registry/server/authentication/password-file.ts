import { type Digest, digestOf } from '#oci/index.ts'
import { failure } from '../codes.ts'

/** What a password file (htpasswd, bcrypt only) says. */
export interface PasswordFile {
  readonly hashes: ReadonlyMap<string, string>
  /** A hash that no password has, as costly to check as those of the users: for names that are not there. */
  readonly decoy: string
  readonly digest: Digest
}

const lineGrammar = /^([^:\s][^:]{0,254}):(\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53})$/
/** The salt and hash of a decoy: well-formed, and of nothing. */
const decoyTail = '.'.repeat(53)

/** @throws HTPASSWD_INVALID, which names the line but never what is in it */
export function parsePasswordFile(bytes: Uint8Array, maxCost: number): PasswordFile {
  const hashes = new Map<string, string>()
  let highest = 4
  for (const [at, raw] of Buffer.from(bytes).toString('utf8').split('\n').entries()) {
    const line = raw.replace(/\r$/, '').trimEnd()
    if (line === '' || line.startsWith('#')) continue
    const match = lineGrammar.exec(line)
    if (!match) {
      throw failure(
        'HTPASSWD_INVALID',
        `line ${at + 1} of the password file is not USER:HASH with a bcrypt hash`,
      )
    }
    const [, user = '', hash = '', cost = ''] = match
    if (Number(cost) > maxCost || Number(cost) < 4) {
      throw failure(
        'HTPASSWD_INVALID',
        `line ${at + 1} of the password file has the cost ${cost}, not 4 to ${maxCost}`,
      )
    }
    if (hashes.has(user))
      throw failure('HTPASSWD_INVALID', `line ${at + 1} of the password file repeats a user`)
    hashes.set(user, hash)
    highest = Math.max(highest, Number(cost))
  }
  const decoy = `$2b$${String(highest).padStart(2, '0')}$${decoyTail}`
  return { hashes, decoy, digest: digestOf(bytes) }
}
