import type { PkiLimits } from '#base/index.ts'
import { formatPem, type RevokedCertificate } from '#keys/index.ts'
import type { OpenAuthority } from './authority-certificates.ts'
import { failure } from './codes.ts'
import { type Records, type RevokedRecord, schemas } from './records.ts'

export type RevocationReason = NonNullable<RevokedCertificate['reason']>

export const reasons: readonly RevocationReason[] = [
  'key-compromise',
  'affiliation-changed',
  'superseded',
  'cessation-of-operation',
  'privilege-withdrawn',
]

/** A revocation list as it is given out. */
export interface RevocationListFile {
  readonly der: Uint8Array
  readonly pem: string
  readonly number: number
}

interface Remembered<T> {
  readonly value: Promise<T>
  readonly at: number
}

const slackMs = 60_000
const revokedKey = (issuer: string) => `pki/revoked/${issuer}`
const listKey = (issuer: string) => `pki/crl/${issuer}`

/**
 * What was revoked, by issuer: one small record of entries, and one with the newest list of it. Both are changed by
 * compare-and-set alone, so that a number belongs to one list, whichever replica signs it.
 */
export class Revocations {
  readonly #records: Records
  readonly #refreshMs: number
  readonly #limits: PkiLimits
  readonly #serials = new Map<string, Remembered<ReadonlySet<string>>>()
  readonly #lists = new Map<string, Remembered<RevocationListFile>>()

  constructor(records: Records, refreshMs: number, limits: PkiLimits) {
    this.#records = records
    this.#refreshMs = refreshMs
    this.#limits = limits
  }

  /**
   * @param until when the certificate ends, in milliseconds since 1970: one that has ended needs no entry
   * @throws PKI_TOO_MANY, PKI_BUSY
   */
  async add(
    issuer: string,
    { serial, until }: { readonly serial: string; readonly until: number },
    reason: RevocationReason,
    at: Date,
    signal?: AbortSignal,
  ): Promise<void> {
    const now = at.getTime()
    if (until <= now) return
    await this.#records.change(
      schemas.revoked,
      revokedKey(issuer),
      (record): RevokedRecord | undefined => {
        if (record?.entries.some(([other]) => other === serial)) return undefined
        const entries = (record?.entries ?? []).filter(([, , end]) => this.#belongs(end, now))
        if (entries.length >= this.#limits.revoked) {
          throw failure('PKI_TOO_MANY', `${entries.length} certificates of ${issuer} are revoked already`, {
            hint: 'Rotate with `distrust`: nothing that the old intermediate issued counts then.',
          })
        }
        return { changes: (record?.changes ?? 0) + 1, entries: [...entries, [serial, now, until, reason]] }
      },
      signal,
    )
    this.#serials.delete(issuer)
    this.#lists.delete(issuer)
  }

  /** Serials of this issuer's certificates that were revoked. A change by another replica counts within `refreshMs`. */
  async serials(issuer: string, at: Date): Promise<ReadonlySet<string>> {
    return await this.#remember(this.#serials, issuer, at, async () => {
      const held = await this.#records.read(schemas.revoked, revokedKey(issuer))
      return new Set(held?.record.entries.map(([serial]) => serial))
    })
  }

  /** The list of an authority: the newest one, or another where that is old or something has changed. @throws PKI_BUSY */
  async list(issuer: OpenAuthority, at: Date): Promise<RevocationListFile> {
    return await this.#remember(this.#lists, issuer.id, at, () => this.#newest(issuer, at))
  }

  async #newest(issuer: OpenAuthority, at: Date): Promise<RevocationListFile> {
    const key = listKey(issuer.id)
    const now = at.getTime()
    return await this.#records.untilDone(key, undefined, async () => {
      // The list before the entries: where those change in between, another list was made of them and ours is late.
      const held = await this.#records.read(schemas.crl, key)
      const revoked = await this.#records.read(schemas.revoked, revokedKey(issuer.id))
      const { changes = 0, entries = [] } = revoked?.record ?? {}
      const { revocationListMs } = this.#limits
      const age = held ? now - held.record.thisUpdate : 0
      const isGood = Math.abs(age) < revocationListMs / 2 && held?.record.changes === changes
      if (held && isGood) return { done: fileOf(held.record) }
      const number = (held?.record.number ?? 0) + 1
      const { der } = await issuer.authority.revocationList({
        number,
        // Clocks of peers may be late: a list from their future would count as none.
        thisUpdate: new Date(now - slackMs),
        nextUpdate: new Date(now + revocationListMs),
        revoked: entries
          .filter(([, , until]) => this.#belongs(until, now))
          .map(([serial, at, , reason]) => ({
            serial,
            at: new Date(at),
            ...(isReason(reason) && { reason }),
          })),
      })
      const times = { thisUpdate: now, nextUpdate: now + revocationListMs }
      const record = { number, changes, ...times, list: Buffer.from(der).toString('base64') }
      const isWritten = (await this.#records.write(key, held, record)) !== undefined
      return isWritten ? { done: fileOf(record) } : undefined
    })
  }

  /** Removes what there is of an authority that nobody trusts any more. */
  async forget(issuer: string, signal?: AbortSignal): Promise<void> {
    await this.#records.change(schemas.revoked, revokedKey(issuer), () => null, signal)
    await this.#records.change(schemas.crl, listKey(issuer), () => null, signal)
  }

  /** RFC 5280 section 3.3: an entry is on one list at least that was made after the certificate had ended. */
  #belongs = (until: number, now: number) => until + this.#limits.revocationListMs > now

  /** Found once for all who ask within `refreshMs`. */
  #remember<T>(
    known: Map<string, Remembered<T>>,
    issuer: string,
    at: Date,
    find: () => Promise<T>,
  ): Promise<T> {
    const before = known.get(issuer)
    if (before && Math.abs(at.getTime() - before.at) < this.#refreshMs) return before.value
    const remembered = { value: find(), at: at.getTime() }
    known.set(issuer, remembered)
    remembered.value.catch(() => {
      // Who asks next tries again.
      if (known.get(issuer) === remembered) known.delete(issuer)
    })
    return remembered.value
  }
}

const isReason = (text: string): text is RevocationReason => reasons.some((reason) => reason === text)

function fileOf({ number, list }: { readonly number: number; readonly list: string }): RevocationListFile {
  const der = Buffer.from(list, 'base64')
  return { der, pem: formatPem('X509 CRL', der), number }
}
