import { tags } from './der.ts'
import {
  type DerValue,
  expectTag,
  NotDer,
  readAll,
  readDer,
  readOid,
  readSequence,
  readSmallInteger,
} from './der-reader.ts'
import { extensionIds } from './identifiers.ts'
import { decodeConstraints, type NameConstraints } from './name-constraints.ts'

/** What of an authority's certificate goes into those that it issues. */
export interface AuthorityFields {
  /** The whole Name, byte for byte: chains are built by comparing it. */
  readonly subject: Uint8Array
  readonly keyIdentifier: Uint8Array | undefined
  readonly pathLength: number | undefined
  readonly constraints: NameConstraints | undefined
}

/** @throws NotDer */
export function authorityFields(certificate: Uint8Array): AuthorityFields {
  const [body] = readSequence(readDer(certificate))
  // version [0], serial, signature, issuer, validity, subject, key, and behind them extensions [3].
  const fields = readSequence(body)
  const extensions = readExtensions(fields.find(({ tag }) => tag === 0xa3))
  const basic = extensions.get(extensionIds.basicConstraints)
  const key = extensions.get(extensionIds.subjectKeyIdentifier)
  const constraints = extensions.get(extensionIds.nameConstraints)
  const [, length] = basic ? readSequence(readDer(basic)) : []
  return {
    subject: expectTag(fields[5], tags.sequence).whole,
    keyIdentifier: key && readDer(key, tags.octetString).content,
    pathLength: length && readSmallInteger(length),
    constraints: constraints && decodeConstraints(constraints),
  }
}

function readExtensions(explicit: DerValue | undefined): Map<string, Uint8Array> {
  if (!explicit) return new Map()
  return extensionMap(readDer(explicit.content, tags.sequence))
}

/** Extensions by their identifiers. @throws NotDer where one is there twice */
export function extensionMap(list: DerValue): Map<string, Uint8Array> {
  const found = new Map<string, Uint8Array>()
  for (const item of readAll(expectTag(list, tags.sequence).content)) {
    const parts = readSequence(item)
    const id = readOid(parts[0])
    if (found.has(id)) throw new NotDer('an extension is there twice')
    found.set(id, expectTag(parts.at(-1), tags.octetString).content)
  }
  return found
}
