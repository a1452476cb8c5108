import { createHash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { type Static, type TSchema, Type } from 'typebox'
import {
  canonicalJson,
  type Json,
  type PkiLimits,
  parseJson,
  SealiftError,
  secretLimits,
} from '#base/index.ts'
import { shapeProblems } from '#base/shape/index.ts'
import type { SecretStore } from '../types.ts'
import { failure } from './codes.ts'

const closed = { additionalProperties: false }
const time = Type.Integer({ minimum: 0 })
const base64 = Type.String()
const texts = Type.Array(Type.String())

const authority = {
  id: Type.String(),
  certificate: base64,
  /** PKCS #8. */
  key: base64,
  /** Once another one issues: the end of the last certificate that it may have issued. */
  until: Type.Optional(time),
}

/** Times are milliseconds since 1970, bytes are base64. */
export const schemas = {
  /** All authorities, each list with the newest first: that one issues. */
  authorities: Type.Object(
    {
      format: Type.Literal('sealift-pki/1'),
      /** Grows with each change: the sequence of the SPIFFE bundle. */
      sequence: Type.Integer({ minimum: 1 }),
      /** The longest life that any replica may give a certificate. */
      longestMs: time,
      roots: Type.Array(Type.Object(authority, closed), { minItems: 1 }),
      intermediates: Type.Array(Type.Object({ ...authority, root: Type.String() }, closed), { minItems: 1 }),
      /** Newer roots as older ones vouch for them. */
      crosses: Type.Array(
        Type.Object({ root: Type.String(), by: Type.String(), certificate: base64 }, closed),
      ),
    },
    closed,
  ),
  /** One certificate, written before it is given out. */
  issued: Type.Object(
    {
      serial: Type.String(),
      issuer: Type.String(),
      identity: Type.String(),
      profile: Type.String(),
      spiffe: Type.Union([Type.String(), Type.Null()]),
      dns: texts,
      ip: texts,
      notBefore: time,
      notAfter: time,
      /** Of the public key: `PublicKey.id`. */
      keyId: Type.String(),
      certificate: base64,
      /** In PKCS #8, where it was made here. */
      key: Type.Union([base64, Type.Null()]),
      /** A few words about the evidence that it was issued for. */
      attested: Type.Unknown(),
    },
    closed,
  ),
  /** What one identity has. */
  holder: Type.Object(
    {
      identity: Type.String(),
      barred: Type.Boolean(),
      live: Type.Array(
        Type.Object(
          {
            serial: Type.String(),
            /** A digest of what was asked for: the same question gets the same answer until `renew`. */
            request: Type.String(),
            renew: time,
            until: time,
          },
          closed,
        ),
      ),
    },
    closed,
  ),
  /** A DNS name that belongs to one identity as long as one of these certificates lasts. */
  name: Type.Object(
    {
      name: Type.String(),
      identity: Type.String(),
      held: Type.Array(Type.Object({ serial: Type.String(), until: time }, closed)),
    },
    closed,
  ),
  /** What of one authority's certificates was revoked: serial, when, its end, and why. */
  revoked: Type.Object(
    { changes: time, entries: Type.Array(Type.Tuple([Type.String(), time, time, Type.String()])) },
    closed,
  ),
  /** The newest list of one authority, of which `changes` of the above it was made. */
  crl: Type.Object({ number: time, changes: time, thisUpdate: time, nextUpdate: time, list: base64 }, closed),
}

export type AuthoritiesRecord = Static<typeof schemas.authorities>
export type IssuedRecord = Static<typeof schemas.issued>
export type HolderRecord = Static<typeof schemas.holder>
export type RevokedRecord = Static<typeof schemas.revoked>

/** A record with the revision that a change of it needs. */
export interface Held<T> {
  readonly record: T
  readonly revision: string
}

/** Any text as one name of a key. */
export const keyNameOf = (text: string): string =>
  createHash('sha256').update(text).digest('hex').slice(0, 40)

/** Records as JSON in a store, each changed by compare-and-set. */
export class Records {
  readonly store: SecretStore
  readonly #limits: Pick<PkiLimits, 'attempts'>

  constructor(store: SecretStore, limits: Pick<PkiLimits, 'attempts'>) {
    this.store = store
    this.#limits = limits
  }

  /** @throws PKI_STATE_INVALID */
  async read<T extends TSchema>(
    schema: T,
    key: string,
    signal?: AbortSignal,
  ): Promise<Held<Static<T>> | undefined> {
    const stored = await this.store.read(key, signal)
    return stored && { record: parse(schema, key, stored.value), revision: stored.revision }
  }

  /** Writes (removes, for `null`) where nobody was faster. @returns the new revision, or undefined */
  async write(
    key: string,
    held: Held<unknown> | undefined,
    record: unknown,
    signal?: AbortSignal,
  ): Promise<string | undefined> {
    const value = record === null ? null : Buffer.from(canonicalJson(record as Json))
    return await this.store.compareAndSet(key, held?.revision, value, signal)
  }

  /**
   * Reads, changes and writes until nobody was faster. `change` gives the new record, null to remove it, or undefined
   * to leave it as it is. @returns what is there then @throws PKI_BUSY, whatever `change` throws
   */
  async change<T extends TSchema>(
    schema: T,
    key: string,
    change: (record: Static<T> | undefined) => Static<T> | null | undefined,
    signal?: AbortSignal,
  ): Promise<Static<T> | undefined> {
    return await this.untilDone(key, signal, async () => {
      const held = await this.read(schema, key, signal)
      const next = change(held?.record)
      if (next === undefined || (next === null && !held)) return { done: held?.record }
      const isWritten = (await this.write(key, held, next, signal)) !== undefined
      return isWritten ? { done: next ?? undefined } : undefined
    })
  }

  /** @throws PKI_BUSY where others are faster all the time */
  async untilDone<T>(
    key: string,
    signal: AbortSignal | undefined,
    attempt: () => Promise<{ done: T } | undefined>,
  ): Promise<T> {
    for (let i = 0; i < this.#limits.attempts; i++) {
      signal?.throwIfAborted()
      const result = await attempt()
      if (result) return result.done
      // Whoever was overtaken lets the others pass: all at once again would overtake one another for ever.
      await pause(Math.random() * Math.min(50, 2 ** i), undefined, { signal })
    }
    throw failure('PKI_BUSY', `others keep changing ${key}`)
  }
}

function parse<T extends TSchema>(schema: T, key: string, value: Uint8Array): Static<T> {
  let record: Json | undefined
  try {
    record = parseJson(value, { maxBytes: secretLimits.valueBytes })
  } catch (error) {
    // The parser's message could tell of what is in the record, and so is no cause.
    if (!(error instanceof SealiftError)) throw error
  }
  if (record === undefined || shapeProblems(schema, record).length > 0) {
    throw failure('PKI_STATE_INVALID', `${key} does not hold what belongs there`)
  }
  return record as Static<T>
}
