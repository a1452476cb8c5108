import { verify } from 'node:crypto'
import { limits } from '#base/index.ts'
import { failure } from '../codes.ts'
import { looksLikePem, parsePem } from '../pem.ts'
import { parsePublicKey } from '../public-key.ts'
import type { PublicKey } from '../types.ts'
import { type AlternativeNames, decodeNames } from './alternative-names.ts'
import { extensionMap } from './certificate-fields.ts'
import { tags } from './der.ts'
import {
  type DerValue,
  expectTag,
  NotDer,
  readAll,
  readBitString,
  readDer,
  readOid,
  readSequence,
  readSmallInteger,
} from './der-reader.ts'
import { type DistinguishedName, decodeName } from './distinguished-name.ts'
import { extensionIds, extensionRequest, requestHashes } from './identifiers.ts'

/** What somebody asks for, who has proved to hold the key. Whether they get it is for the authority to say. */
export interface CertificateRequest extends Required<AlternativeNames> {
  readonly subject: DistinguishedName
  readonly publicKey: PublicKey
}

/**
 * A certificate request (PKCS #10, RFC 2986) in PEM or DER, whose signature was checked with the key that it names.
 * Extensions other than alternative names are passed over: usages and times are the authority's to say.
 *
 * @throws CERTIFICATE_REQUEST_INVALID, KEY_TYPE_REFUSED
 */
export function parseCertificateRequest(
  input: string | Uint8Array,
  maxBytes: number = limits.keyBytes,
): CertificateRequest {
  if (input.length > maxBytes) throw invalid(`it has ${input.length} bytes, over the limit of ${maxBytes}`)
  try {
    return read(bytesOf(input))
  } catch (error) {
    if (error instanceof NotDer) throw invalid(error.message)
    throw error
  }
}

function bytesOf(input: string | Uint8Array): Uint8Array {
  if (typeof input !== 'string' && !looksLikePem(input)) return input
  let blocks: ReturnType<typeof parsePem>
  try {
    blocks = parsePem(typeof input === 'string' ? input : Buffer.from(input).toString())
  } catch (cause) {
    throw failure('CERTIFICATE_REQUEST_INVALID', 'the PEM text cannot be read', { cause })
  }
  const [block, ...more] = blocks
  const isRequest = block?.label === 'CERTIFICATE REQUEST' || block?.label === 'NEW CERTIFICATE REQUEST'
  if (!block || !isRequest || more.length > 0)
    throw invalid('there is not exactly one block CERTIFICATE REQUEST')
  return block.bytes
}

function read(bytes: Uint8Array): CertificateRequest {
  const [body, algorithm, signature, ...more] = readSequence(readDer(bytes))
  if (!body || more.length > 0) throw new NotDer('there are other members than a request has')
  const [version, subject, spki, attributes, ...rest] = readSequence(body)
  if (readSmallInteger(version) !== 0 || rest.length > 0) throw new NotDer('its version is not known')
  const publicKey = keyOf(expectTag(spki, tags.sequence).whole)
  checkPossession(body.whole, algorithm, readBitString(signature), publicKey)
  return { subject: decodeName(subject), publicKey, ...requestedNames(attributes) }
}

function keyOf(spki: Uint8Array): PublicKey {
  try {
    return parsePublicKey(spki)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'KEY_INVALID')
      throw invalid('its key cannot be read')
    throw error
  }
}

function checkPossession(
  body: Uint8Array,
  algorithm: DerValue | undefined,
  signature: Uint8Array,
  publicKey: PublicKey,
): void {
  const id = readOid(readSequence(algorithm)[0])
  const hashes = requestHashes[publicKey.algorithm]
  const hash = Object.hasOwn(hashes, id) ? hashes[id] : undefined
  if (hash === undefined) throw invalid(`it is signed with an algorithm that is not taken: ${id}`)
  let isGood = false
  try {
    isGood = verify(hash, body, { key: publicKey.key, dsaEncoding: 'der' }, signature)
  } catch {
    // A malformed signature is as bad as a wrong one.
  }
  if (!isGood) throw invalid('it was not signed with the key that it names')
}

function requestedNames(attributes: DerValue | undefined): Required<AlternativeNames> {
  const found = readAll(expectTag(attributes, 0xa0).content).flatMap((attribute) => {
    const [type, values] = readSequence(attribute)
    return readOid(type) === extensionRequest ? readAll(expectTag(values, tags.set).content) : []
  })
  const [list, ...more] = found
  if (more.length > 0) throw new NotDer('it asks for extensions twice')
  const names = list && extensionMap(list).get(extensionIds.subjectAlternativeName)
  return decodeNames(names ? readSequence(readDer(names)) : [])
}

const invalid = (why: string) =>
  failure('CERTIFICATE_REQUEST_INVALID', `the certificate request is refused: ${why}`)
