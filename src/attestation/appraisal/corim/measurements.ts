import { type Cbor, type CborKey, type CborLimits, CborTag, NotCbor, parseCbor } from './cbor.ts'

/** What a manifest says, and how long it says so. */
export interface Manifest {
  readonly values: ReadonlyMap<string, string | readonly string[]>
  readonly notBefore?: Date
  readonly notAfter?: Date
}

type CborMap = ReadonlyMap<CborKey, Cbor>

// draft-ietf-rats-corim: tags.
const unsignedCorim = 501
const concise = 506
const coseSign1 = 18
const epoch = 1
const uuid = 37
const taggedBytes = 560
/** Older drafts wrap the whole into one or both of these. */
const wrappers = [500, 502]

/**
 * The reference values of a concise reference integrity manifest (CoRIM, draft-ietf-rats-corim), by the names that
 * Trustee gives them: VENDOR/MODEL/KEY/NAME/SERIAL of what is there, then `digests`, a list of digests in hex, or
 * `raw_bytes`, bytes in hex. Where the manifest gives digests of one name several times, all of them count.
 *
 * Of a signed manifest the content is read. Its signature is not checked: whoever sends it is trusted.
 *
 * @throws NotCbor for bytes that are no such manifest
 */
export function corimMeasurements(bytes: Uint8Array, limits: CborLimits): Manifest {
  const corim = mapOf(contentOf(parseCbor(bytes, limits), limits), 'the manifest')
  const values = new Map<string, string | string[]>()
  for (const tag of listOf(corim.get(1), "the manifest's tags")) {
    // Tags of other kinds (CoSWID, trust anchors) have no reference values.
    if (!(tag instanceof CborTag) || tag.tag !== concise) continue
    // Parsed one after the other, and let go.
    addValues(mapOf(parseCbor(bytesOf(tag.value, 'a CoMID'), limits), 'a CoMID'), values)
  }
  const validity = corim.get(4)
  if (validity === undefined) return { values }
  const { notBefore, notAfter } = validityOf(mapOf(validity, "the manifest's validity"))
  return { values, ...(notBefore && { notBefore }), ...(notAfter && { notAfter }) }
}

function contentOf(item: Cbor, limits: CborLimits): Cbor {
  if (!(item instanceof CborTag)) throw new NotCbor('it has no tag of a CoRIM')
  if (item.tag === unsignedCorim) return item.value
  if (wrappers.includes(Number(item.tag))) return contentOf(item.value, limits)
  if (item.tag !== coseSign1) throw new NotCbor('it has no tag of a CoRIM')
  const parts = listOf(item.value, 'the signed manifest')
  if (parts.length !== 4) throw new NotCbor('the signed manifest does not have four parts')
  const content = parseCbor(bytesOf(parts[2], 'the content of the signed manifest'), limits)
  if (!(content instanceof CborTag) || content.tag !== unsignedCorim)
    throw new NotCbor('what was signed is no CoRIM')
  return content.value
}

function addValues(comid: CborMap, values: Map<string, string | string[]>): void {
  const triples = mapOf(comid.get(4), 'the triples of a CoMID')
  const references = triples.get(0)
  if (references === undefined) return
  for (const triple of listOf(references, 'the reference triples')) {
    const [environment, claims] = listOf(triple, 'a reference triple')
    const base = environmentNames(mapOf(environment, 'an environment'))
    for (const claim of listOf(claims, 'the claims of a reference triple'))
      addClaim(base, mapOf(claim, 'a claim'), values)
  }
}

function environmentNames(environment: CborMap): string[] {
  const described = environment.get(0)
  if (described === undefined) return []
  const { get } = members(mapOf(described, 'a class'))
  return [get(1, 'a vendor'), get(2, 'a model')].filter((name) => name !== undefined)
}

function addClaim(base: readonly string[], claim: CborMap, values: Map<string, string | string[]>): void {
  const measured = mapOf(claim.get(1), 'a measurement')
  const { get } = members(measured)
  const names = [...base, ...keyName(claim.get(0)), get(11, 'a name'), get(8, 'a serial number')]
  const path = names.filter((name) => name !== undefined)
  const digests = measured.get(2)
  if (digests !== undefined) {
    const name = [...path, 'digests'].join('/')
    const known = values.get(name) ?? []
    if (typeof known === 'string') throw twice(name)
    const all = [...known, ...listOf(digests, 'digests').map(digestOf)]
    values.set(name, [...new Set(all)])
  }
  const raw = measured.get(4)
  if (raw instanceof CborTag && raw.tag === taggedBytes) {
    const name = [...path, 'raw_bytes'].join('/')
    const hex = toHex(bytesOf(raw.value, 'raw bytes'))
    if ((values.get(name) ?? hex) !== hex) throw twice(name)
    values.set(name, hex)
  }
}

/** Keys of other kinds (OIDs) have no part in the name, as Trustee has it. */
function keyName(key: Cbor): string[] {
  if (typeof key === 'string') return [key]
  if ((typeof key === 'number' && key >= 0) || (typeof key === 'bigint' && key >= 0n)) return [`claim${key}`]
  if (!(key instanceof CborTag) || key.tag !== uuid) return []
  const bytes = bytesOf(key.value, 'a UUID')
  if (bytes.length !== 16) throw new NotCbor('a UUID does not have 16 bytes')
  return [toHex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')]
}

function digestOf(digest: Cbor): string {
  const [algorithm, value, more] = listOf(digest, 'a digest')
  const isNamed = typeof algorithm === 'string' || Number.isInteger(algorithm)
  if (!isNamed || more !== undefined) throw new NotCbor('a digest is not an algorithm and its value')
  return toHex(bytesOf(value, 'the value of a digest'))
}

function validityOf(validity: CborMap): { notBefore: Date | undefined; notAfter: Date | undefined } {
  const time = (key: number): Date | undefined => {
    const said = validity.get(key)
    if (said === undefined) return undefined
    const seconds = said instanceof CborTag && said.tag === epoch ? said.value : undefined
    const date = new Date(typeof seconds === 'number' ? seconds * 1000 : Number.NaN)
    if (Number.isNaN(date.getTime())) throw new NotCbor('the validity of the manifest is not made of times')
    return date
  }
  return { notBefore: time(0), notAfter: time(1) }
}

/** Members that are texts, where they are there. */
const members = (map: CborMap) => ({
  get(key: number, what: string): string | undefined {
    const value = map.get(key)
    if (value === undefined || typeof value === 'string') return value
    throw new NotCbor(`${what} is not a text`)
  },
})

function mapOf(item: Cbor, what: string): CborMap {
  if (item instanceof Map) return item as CborMap
  throw new NotCbor(`${what} is not a map`)
}

function listOf(item: Cbor, what: string): readonly Cbor[] {
  if (Array.isArray(item)) return item as readonly Cbor[]
  throw new NotCbor(`${what} is not a list`)
}

function bytesOf(item: Cbor, what: string): Uint8Array {
  if (item instanceof Uint8Array) return item
  throw new NotCbor(`${what} is not made of bytes`)
}

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

const twice = (name: string) => new NotCbor(`it says two things of ${JSON.stringify(name.slice(0, 200))}`)
