import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { compare } from 'bcryptjs'
import { failure } from './codes.ts'

/** Tells whether a name and password belong together. */
export interface PasswordFile {
  check(user: string, password: string): Promise<boolean>
}

const bcryptHash = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/
/** Each step doubles the work; beyond this one request would hold a core for seconds. */
const maxCost = 14
/** A real hash of nobody's password: an unknown name takes as long as a wrong password. */
const nobody = '$2b$10$CwTycUXWue0Thq9StjUM0uJ8E1p4yNQx1b1vXzE0rM5vJbJmG4V8y'
const maxRemembered = 10_000
/** bcrypt in JavaScript takes tens of milliseconds of a core: so many at once, the rest wait. */
const maxUnderWay = 2

/**
 * Reads an htpasswd file; bcrypt only. A pair that was right once is remembered under a key that dies with the
 * process, so that not every request pays for bcrypt.
 *
 * @throws HTPASSWD_INVALID with the line number, never its text
 */
export function parseHtpasswd(text: string): PasswordFile {
  const hashes = new Map<string, string>()
  for (const [at, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const colon = line.indexOf(':')
    const hash = line.slice(colon + 1).trim()
    const cost = bcryptHash.exec(hash)?.[1]
    if (colon < 1 || cost === undefined || Number(cost) > maxCost) {
      throw failure(
        'HTPASSWD_INVALID',
        `line ${at + 1} of the htpasswd file is not USER:BCRYPT with a cost of at most ${maxCost}`,
      )
    }
    hashes.set(line.slice(0, colon), hash)
  }
  return new Passwords(hashes)
}

class Passwords implements PasswordFile {
  readonly #hashes: ReadonlyMap<string, string>
  readonly #key = randomBytes(32)
  readonly #right = new Map<string, Buffer>()
  readonly #waiting: (() => void)[] = []
  #underWay = 0

  constructor(hashes: ReadonlyMap<string, string>) {
    this.#hashes = hashes
  }

  async check(user: string, password: string): Promise<boolean> {
    const tag = createHmac('sha256', this.#key).update(`${user.length}:${user}${password}`).digest()
    const known = this.#right.get(user)
    if (known && timingSafeEqual(known, tag)) return true
    // bcrypt itself looks at 72 bytes only; longer ones are nobody's password.
    const tooLong = Buffer.byteLength(password) > 72
    const matches = await this.#inTurn(() =>
      compare(tooLong ? '' : password, this.#hashes.get(user) ?? nobody),
    )
    if (!matches || tooLong || !this.#hashes.has(user)) return false
    if (this.#right.size >= maxRemembered) this.#right.clear()
    this.#right.set(user, tag)
    return true
  }

  async #inTurn<T>(act: () => Promise<T>): Promise<T> {
    if (this.#underWay >= maxUnderWay) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#underWay++
    try {
      return await act()
    } finally {
      this.#underWay--
      this.#waiting.shift()?.()
    }
  }
}
