import { type Static, Type } from 'typebox'
import { formatReferenceValue, parseReferenceValue, type ReferenceValue } from '#attestation/index.ts'
import { attestationLimits, canonicalJson, type Json, parseJson, secretLimits } from '#base/index.ts'
import { shapeProblems } from '#base/shape/index.ts'
import { Remembered } from '../remembered.ts'
import type { SecretStore } from '../types.ts'
import { failure } from './codes.ts'
import type { KnownReference, ReferenceBook } from './types.ts'

const schema = Type.Object(
  {
    version: Type.Literal(1),
    values: Type.Array(
      Type.Object(
        {
          /** As Trustee stores it. */
          value: Type.Unsafe<Json>({}),
          origin: Type.String(),
          at: Type.Integer({ minimum: 0 }),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
)

export interface ReferenceBookOptions {
  /** A change by another replica is seen within. */
  readonly refreshMs?: number
  /** Most values, and bytes of the record with all of them. */
  readonly most?: number
  readonly mostBytes?: number
}

interface Read {
  readonly values: readonly KnownReference[]
  /** Of the record; undefined where there is none. */
  readonly revision: string | undefined
}

const place = 'references/values'
/** What the record puts around a value. */
const recordDepth = 4

/** Reference values in a broker's state: one record, so that a set of them is seen whole or not at all. */
export class StoredReferences implements ReferenceBook {
  readonly #store: SecretStore
  readonly #most: number
  readonly #mostBytes: number
  readonly #known: Remembered<readonly KnownReference[]>
  #last: Read = { values: [], revision: undefined }

  constructor(
    store: SecretStore,
    {
      refreshMs = 1000,
      most = attestationLimits.referenceValues,
      mostBytes = secretLimits.valueBytes,
    }: ReferenceBookOptions = {},
  ) {
    this.#store = store
    this.#most = most
    this.#mostBytes = mostBytes
    this.#known = new Remembered(async () => (await this.#read()).values, refreshMs)
  }

  values(): Promise<readonly KnownReference[]> {
    return this.#known.get()
  }

  async read(name: string): Promise<KnownReference | undefined> {
    return (await this.#known.get()).find((known) => known.name === name)
  }

  async set(
    values: readonly ReferenceValue[],
    origin: string,
    at: Date,
    signal?: AbortSignal,
  ): Promise<void> {
    // In the form in which they are read again: what could not be would take all others with it.
    const read = values.map((value) => parseReferenceValue(formatReferenceValue(value)))
    await this.#change((known) => {
      const changed = new Map(known.map((one) => [one.name, one]))
      for (const value of read) changed.set(value.name, { ...value, origin, at })
      return [...changed.values()]
    }, signal)
  }

  async remove(name: string, signal?: AbortSignal): Promise<boolean> {
    let isThere = false
    await this.#change((known) => {
      isThere = known.some((one) => one.name === name)
      return isThere ? known.filter((one) => one.name !== name) : undefined
    }, signal)
    return isThere
  }

  async #change(
    change: (known: readonly KnownReference[]) => readonly KnownReference[] | undefined,
    signal?: AbortSignal,
  ): Promise<void> {
    for (let attempt = 0; attempt < secretLimits.attempts; attempt++) {
      const { values, revision } = await this.#read()
      const changed = change(values)
      if (!changed) return
      if (changed.length > this.#most)
        throw failure('REFERENCES_TOO_MANY', `there would be ${changed.length}, the limit is ${this.#most}`)
      const bytes = format(changed)
      if (bytes.length > this.#mostBytes)
        throw failure(
          'REFERENCES_TOO_MANY',
          `there would be ${bytes.length} bytes, the limit is ${this.#mostBytes}`,
        )
      try {
        if ((await this.#store.compareAndSet(place, revision, bytes, signal)) !== undefined) return
      } finally {
        // Also where it failed in between: nobody knows then what is there now.
        this.#known.forget()
      }
    }
    throw failure('REFERENCES_BUSY', 'others change the reference values all the time')
  }

  async #read(): Promise<Read> {
    const stored = await this.#store.read(place)
    const revision = stored?.revision
    // Read each second, changed each month: what is the same is not parsed again.
    if (this.#last.revision !== revision) this.#last = { values: stored ? parse(stored.value) : [], revision }
    return this.#last
  }
}

const format = (values: readonly KnownReference[]): Uint8Array =>
  canonicalJson({
    version: 1,
    values: values.map(({ origin, at, ...value }) => ({
      value: JSON.parse(Buffer.from(formatReferenceValue(value)).toString()) as Json,
      origin,
      at: at.getTime(),
    })),
  })

function parse(bytes: Uint8Array): readonly KnownReference[] {
  try {
    const value = parseJson(bytes, {
      maxBytes: secretLimits.storedBytes,
      maxDepth: attestationLimits.depth + recordDepth,
    })
    if (shapeProblems(schema, value).length === 0) {
      return (value as unknown as Static<typeof schema>).values.map(({ value, origin, at }) => ({
        ...parseReferenceValue(canonicalJson(value)),
        origin,
        at: new Date(at),
      }))
    }
  } catch {
    // Told below.
  }
  throw failure('REFERENCES_RECORD_INVALID', 'the record of the reference values is damaged')
}
