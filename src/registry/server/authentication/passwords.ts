import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { Lru } from '#base/index.ts'
import { Refusal } from '../refusal.ts'
import { parseBasic } from './basic-credentials.ts'
import type { PasswordComparer } from './compare-password.ts'
import type { PasswordFile } from './password-file.ts'

export interface PasswordsOptions {
  readonly file: () => PasswordFile
  readonly comparer: PasswordComparer
  /** Checks that wait; one more is refused. */
  readonly maxWaiting: number
  readonly remembered: number
}

/**
 * Tells who a user is. A right password is remembered as an HMAC under a key that only this process has, bound
 * to the hash it was checked against: a changed password file forgets it. A name that does not exist takes as
 * long as a wrong password.
 */
export class Passwords {
  readonly #options: PasswordsOptions
  readonly #key = randomBytes(32)
  readonly #proven: Lru<string, Buffer>
  /** The same question asked while it is being answered waits for that answer. */
  readonly #checking = new Map<string, Promise<boolean>>()

  constructor(options: PasswordsOptions) {
    this.#options = options
    this.#proven = new Lru(options.remembered)
  }

  /** The user's name, or undefined where the credentials are not right. @throws Refusal 429 */
  async authenticate(header: string): Promise<string | undefined> {
    const credentials = parseBasic(header)
    if (!credentials) return undefined
    const { user, password } = credentials
    const { hashes, decoy } = this.#options.file()
    const hash = hashes.get(user)
    const proof = createHmac('sha256', this.#key)
      .update(`${user}\0${hash ?? ''}\0${password}`)
      .digest()
    const known = this.#proven.get(user)
    if (hash !== undefined && known !== undefined && timingSafeEqual(known, proof)) return user
    const matches = await this.#check(proof.toString('hex'), password, hash ?? decoy)
    if (!matches || hash === undefined) return undefined
    this.#proven.set(user, proof)
    return user
  }

  async #check(question: string, password: string, hash: string): Promise<boolean> {
    let checking = this.#checking.get(question)
    if (!checking) {
      if (this.#checking.size >= this.#options.maxWaiting) {
        throw new Refusal(429, 'TOOMANYREQUESTS', 'too many passwords are being checked', {
          headers: { 'Retry-After': '1' },
        })
      }
      checking = this.#options.comparer.compare(password, hash).finally(() => this.#checking.delete(question))
      this.#checking.set(question, checking)
    }
    return await checking
  }
}
