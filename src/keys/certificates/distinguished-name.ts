import { failure } from '../codes.ts'
import { der, oid, sequence, tags } from './der.ts'
import { type DerValue, expectTag, NotDer, readAll, readOid, readSequence } from './der-reader.ts'
import { attributes } from './identifiers.ts'

/** A subject or issuer (RFC 5280 section 4.1.2.4): one value for each attribute. */
export type DistinguishedName = { readonly [K in keyof typeof attributes]?: string }

/** From the general to the particular, as names are written. */
const order = ['country', 'state', 'locality', 'organization', 'organizationalUnit', 'commonName'] as const

/** @throws CERTIFICATE_TERMS_INVALID for a value that is empty, too long, or has control characters */
export function encodeName(name: DistinguishedName): Buffer {
  const sets = order.flatMap((attribute) => {
    const value = name[attribute]
    if (value === undefined) return []
    const isCountry = attribute === 'country'
    // RFC 5280 appendix A.1: ub-common-name and its neighbours are 64; a country is two letters.
    const isGood = isCountry ? /^[A-Z]{2}$/.test(value) : /^[^\p{C}]{1,64}$/u.test(value)
    if (!isGood)
      throw failure(
        'CERTIFICATE_TERMS_INVALID',
        `${JSON.stringify(value)} cannot be the ${attribute} of a name`,
      )
    const text = der(isCountry ? tags.printableString : tags.utf8String, Buffer.from(value))
    return [der(tags.set, sequence(oid(attributes[attribute]), text))]
  })
  return sequence(...sets)
}

const stringTags: readonly number[] = [tags.utf8String, tags.printableString, tags.ia5String]
const decoder = new TextDecoder('utf-8', { fatal: true })

/** A name as a request has it. @throws NotDer for attributes, repetitions and strings that are not known here */
export function decodeName(value: DerValue | undefined): DistinguishedName {
  const name: { -readonly [K in keyof DistinguishedName]: string } = {}
  for (const set of readSequence(value)) {
    const [pair, ...more] = readAll(expectTag(set, tags.set).content)
    const [type, text, ...rest] = readSequence(pair)
    const id = readOid(type)
    const attribute = order.find((known) => attributes[known] === id)
    if (!attribute || !text || !stringTags.includes(text.tag) || more.length + rest.length > 0) {
      throw new NotDer(`the name has an attribute that is not known here: ${id}`)
    }
    if (name[attribute] !== undefined) throw new NotDer(`the name has two values for ${attribute}`)
    name[attribute] = utf8(text.content)
  }
  return name
}

function utf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw new NotDer('the name is not in UTF-8')
  }
}
