// Version 2: ASN.1 in DER (Nebula's cert_v2.asn1, automatic tags), IPv4 and IPv6.
import { derReader, derWriter } from '#keys/index.ts'
import { addressBits, compareNetworks, isMapped, type Network } from '../leases/index.ts'
import type { NebulaCertificate, NebulaDetails } from './certificate.ts'

const { expectTag, NotDer, readAll, readDer } = derReader
const { context, contextString, der, integer, octetString, sequence, tags } = derWriter
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Tags of members that hold others, and of those that do not. */
const constructed = (number: number) => 0xa0 | number
const primitive = (number: number) => 0x80 | number

/** Other orders, defaults that are written and the like are found by writing again what was read. @throws NotDer */
export function readV2(bytes: Uint8Array, most: number): NebulaCertificate {
  const outer = new Members(expectTag(readDer(bytes), tags.sequence).content)
  const details = new Members(outer.take(constructed(0)).content)
  const curve = outer.maybe(primitive(1))
  if (curve && (curve.length !== 1 || curve[0] !== 1)) throw new NotDer('the curve is not known')
  const publicKey = outer.take(primitive(2)).content
  const signature = outer.take(primitive(3)).content
  outer.end()
  const certificate = {
    version: 2 as const,
    curve: curve ? ('P256' as const) : ('CURVE25519' as const),
    name: textOf(details.take(primitive(0)).content),
    networks: networksOf(details.maybe(constructed(1)), most),
    unsafeNetworks: networksOf(details.maybe(constructed(2)), most),
    groups: listOf(details.maybe(constructed(3)), tags.utf8String, most).map(textOf),
    isCa: details.maybe(primitive(4)) !== undefined,
    notBefore: secondsOf(details.take(primitive(5)).content),
    notAfter: secondsOf(details.take(primitive(6)).content),
    publicKey,
    signature,
  }
  const issuer = details.maybe(primitive(7))
  details.end()
  if (issuer && issuer.length !== 32) throw new NotDer('the issuer is no fingerprint')
  return { ...certificate, ...(issuer && { issuer: Buffer.from(issuer).toString('hex') }) }
}

/** Details with their tag, one byte for the curve, and the public key: what is signed. */
export const signedV2 = (details: NebulaDetails): Buffer =>
  Buffer.concat([detailsOf(details), Buffer.from([details.curve === 'P256' ? 1 : 0]), details.publicKey])

export function writeV2(certificate: NebulaCertificate): Buffer {
  const { curve, publicKey, signature } = certificate
  return sequence(
    detailsOf(certificate),
    ...(curve === 'P256' ? [contextString(1, Buffer.from([1]))] : []),
    contextString(2, publicKey),
    contextString(3, signature),
  )
}

function detailsOf(details: NebulaDetails): Buffer {
  const { name, networks, unsafeNetworks, groups, isCa, notBefore, notAfter, issuer } = details
  const list = (number: number, values: readonly Buffer[]) =>
    values.length === 0 ? [] : [context(number, ...values)]
  return context(
    0,
    contextString(0, Buffer.from(name)),
    ...list(1, sorted(networks).map(networkBytes)),
    ...list(2, sorted(unsafeNetworks).map(networkBytes)),
    ...list(
      3,
      groups.map((group) => der(tags.utf8String, Buffer.from(group))),
    ),
    ...(isCa ? [contextString(4, Buffer.from([0xff]))] : []),
    seconds(5, notBefore),
    seconds(6, notAfter),
    ...(issuer === undefined ? [] : [contextString(7, Buffer.from(issuer, 'hex'))]),
  )
}

const sorted = (networks: readonly Network[]) => [...networks].sort(compareNetworks)

const networkBytes = ({ family, address, bits }: Network) => {
  const hex = address.toString(16).padStart(addressBits(family) / 4, '0')
  return octetString(Buffer.concat([Buffer.from(hex, 'hex'), Buffer.from([bits])]))
}

/** An integer under a tag of its own. */
function seconds(number: number, value: number): Buffer {
  const hex = value.toString(16)
  const whole = integer(Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex'))
  return contextString(number, readDer(whole).content)
}

/** Members of a sequence, taken one by one. */
class Members {
  readonly #values: derReader.DerValue[]

  constructor(content: Uint8Array) {
    this.#values = readAll(content)
  }

  take(tag: number): derReader.DerValue {
    return expectTag(this.#values.shift(), tag)
  }

  maybe(tag: number): Uint8Array | undefined {
    return this.#values[0]?.tag === tag ? this.#values.shift()?.content : undefined
  }

  end(): void {
    if (this.#values.length > 0) throw new NotDer('there are members that are not known')
  }
}

function listOf(content: Uint8Array | undefined, tag: number, most: number): Uint8Array[] {
  const values = content ? readAll(content) : []
  if (values.length > most) throw new NotDer(`there are more than ${most} entries`)
  return values.map((value) => expectTag(value, tag).content)
}

function networksOf(content: Uint8Array | undefined, most: number): Network[] {
  const networks = listOf(content, tags.octetString, most).map((bytes): Network => {
    const family = bytes.length === 5 ? 4 : 6
    const bits = bytes.at(-1)!
    if (bytes.length !== 5 && bytes.length !== 17) throw new NotDer('a network is none')
    if (bits > addressBits(family)) throw new NotDer('a network has too many bits')
    const address = BigInt(`0x${Buffer.from(bytes.subarray(0, -1)).toString('hex')}`)
    if (isMapped({ family, address })) throw new NotDer('a network is IPv4 within IPv6')
    return { family, address, bits }
  })
  const isTwice = networks.some((network, i) => i > 0 && compareNetworks(networks[i - 1]!, network) === 0)
  if (isTwice) throw new NotDer('a network is there twice')
  return networks
}

function secondsOf(content: Uint8Array): number {
  if (content.length < 1 || content.length > 8 || content[0]! >= 0x80)
    throw new NotDer('a time is out of range')
  return content.reduce((sum, byte) => sum * 256 + byte, 0)
}

function textOf(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw new NotDer('a text is not UTF-8')
  }
}
