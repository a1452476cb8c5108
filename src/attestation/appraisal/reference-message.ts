import { type AttestationLimits, attestationLimits, type Json } from '#base/index.ts'
import { fromBase64 } from '../base64.ts'
import { failure } from '../codes.ts'
import { member, parseObject, textMember } from '../members.ts'
import { NotCbor } from './corim/cbor.ts'
import { corimMeasurements } from './corim/measurements.ts'
import { type ReferenceValue, referenceName } from './reference-value.ts'
import { swidMeasurements } from './swid/measurements.ts'
import { NotXml } from './swid/xml-elements.ts'

const code = 'REFERENCE_VALUE_INVALID'
const what = 'the message of reference values'
const version = '0.1.0'

/** How long a value holds of which nothing else is said (Trustee's RVPS). */
const monthsOfLife = 12

/**
 * Reference values from a message as Trustee's RVPS takes it: `{version, type, payload}`, the payload in standard
 * base64. Its types are `sample`, an object of values by name, `swid` and `corim`, reference integrity manifests.
 * Values hold for a year, or for as long as the manifest says that it does.
 *
 * @throws REFERENCE_VALUE_INVALID
 */
export function parseReferenceMessage(
  bytes: Uint8Array,
  at: Date,
  limits: AttestationLimits = attestationLimits,
): ReferenceValue[] {
  const body = parseObject(bytes, what, code, limits.bodyBytes, limits.depth)
  if ((member(body, 'version') ?? version) !== version) {
    throw failure(code, `${what} is not of version ${version}`)
  }
  const type = textMember(body, 'type', what, code, 64)
  const read = readers.get(type)
  if (!read) throw failure(code, `${what} is of a type that is not read here`)
  const payload = fromBase64(textMember(body, 'payload', what, code, limits.bodyBytes))
  if (!payload) throw failure(code, `the payload of ${what} is not base64`)
  const { entries, notBefore, notAfter } = read(payload, limits)
  if (entries.length > limits.referenceValues) {
    throw failure(code, `${what} has ${entries.length} values, the limit is ${limits.referenceValues}`)
  }
  if ((notBefore && notBefore > at) || (notAfter && notAfter <= at)) {
    throw failure(code, `the manifest in ${what} does not hold at this time`)
  }
  const year = expirationFrom(at)
  const expiration = notAfter && notAfter < year ? notAfter : year
  return entries.map(([name, value]) => {
    if (name.length > limits.referenceNameLength) {
      throw failure(code, `a name in ${what} has more than ${limits.referenceNameLength} characters`)
    }
    return { name: referenceName(name), value, expiration }
  })
}

interface Content {
  readonly entries: readonly (readonly [string, Json])[]
  readonly notBefore?: Date
  readonly notAfter?: Date
}

type Reader = (payload: Uint8Array, limits: AttestationLimits) => Content

const readSample: Reader = (payload, limits) => ({
  entries: Object.entries(
    parseObject(payload, `the payload of ${what}`, code, limits.bodyBytes, limits.depth),
  ),
})

const readSwid: Reader = (payload, limits) => {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(payload)
    return { entries: [...swidMeasurements(text, limits.depth)] }
  } catch (error) {
    if (!(error instanceof NotXml) && !(error instanceof TypeError)) throw error
    throw failure(code, `the payload of ${what} is no SWID manifest: ${error.message}`)
  }
}

const readCorim: Reader = (payload, { depth, cborItems: items }) => {
  try {
    const { values, ...validity } = corimMeasurements(payload, { depth, items })
    return { entries: [...values].map(([name, value]) => [name, value as Json]), ...validity }
  } catch (error) {
    if (!(error instanceof NotCbor)) throw error
    throw failure(code, `the payload of ${what} is no CoRIM: ${error.message}`)
  }
}

const readers: ReadonlyMap<string, Reader> = new Map([
  ['sample', readSample],
  ['swid', readSwid],
  ['corim', readCorim],
])

/** Calendar months, the last day of a shorter one where there is no such day (chrono's `checked_add_months`). */
function expirationFrom(at: Date): Date {
  const end = new Date(at)
  end.setUTCMilliseconds(0)
  end.setUTCMonth(end.getUTCMonth() + monthsOfLife)
  if (end.getUTCDate() !== at.getUTCDate()) end.setUTCDate(0)
  return end
}
