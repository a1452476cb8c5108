import { failure } from './codes.ts'
import { keyNameOf, type Records, schemas } from './records.ts'

/** A name counts as held for so long after its last certificate has ended: what clocks of replicas may differ by. */
const graceMs = 60_000

const keyOf = (name: string) => `pki/names/${keyNameOf(name)}`

/** DNS names that belong to one identity each, as long as it has certificates with them. */
export class ExclusiveNames {
  readonly #records: Records

  constructor(records: Records) {
    this.#records = records
  }

  /**
   * The names are this identity's until `until`, under this serial. Whoever is refused one of them releases them all.
   * @throws PKI_NAME_TAKEN, PKI_BUSY
   */
  async claim(
    names: readonly string[],
    {
      identity,
      serial,
      until,
    }: { readonly identity: string; readonly serial: string; readonly until: number },
    at: Date,
    signal?: AbortSignal,
  ): Promise<void> {
    for (const name of names) {
      await this.#records.change(
        schemas.name,
        keyOf(name),
        (record) => {
          const held = runningOf(record, at)
          if (held.length > 0 && record?.identity !== identity) throw taken(name)
          return { name, identity, held: [...held, { serial, until }] }
        },
        signal,
      )
    }
  }

  /** @throws PKI_NAME_TAKEN where one of the names is another's */
  async check(names: readonly string[], identity: string, at: Date, signal?: AbortSignal): Promise<void> {
    for (const name of names) {
      const held = await this.#records.read(schemas.name, keyOf(name), signal)
      if (held && held.record.identity !== identity && runningOf(held.record, at).length > 0)
        throw taken(name)
    }
  }

  /** The certificate with this serial holds the names no more. */
  async release(names: readonly string[], serial: string, at: Date, signal?: AbortSignal): Promise<void> {
    for (const name of names) {
      await this.#records.change(
        schemas.name,
        keyOf(name),
        (record) => {
          if (!record) return undefined
          const held = runningOf(record, at).filter((one) => one.serial !== serial)
          return held.length > 0 ? { ...record, held } : null
        },
        signal,
      )
    }
  }
}

const runningOf = (
  record: { readonly held: { readonly serial: string; readonly until: number }[] } | undefined,
  at: Date,
) => record?.held.filter(({ until }) => until + graceMs > at.getTime()) ?? []

const taken = (name: string) => failure('PKI_NAME_TAKEN', `${name} belongs to another identity`)
