// Version 1: Protocol Buffers (RawNebulaCertificate in Nebula's cert_v1.proto), IPv4 alone.
import type { Network } from '../leases/index.ts'
import type { NebulaCertificate, NebulaDetails } from './certificate.ts'
import {
  bytesField,
  type Field,
  NotProtobuf,
  numberField,
  readFields,
  readPacked,
  varint,
} from './protobuf.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Unknown fields and other orders are found by writing again what was read. @throws NotProtobuf */
export function readV1(bytes: Uint8Array, most: number): NebulaCertificate {
  const outer = fieldsOf(bytes, 2)
  const fields = fieldsOf(bytesOf(outer.get(1)), most + 16)
  const issuer = bytesOf(fields.get(9))
  const curve = numberOf(fields.get(100))
  if (curve > 1) throw new NotProtobuf('the curve is not known')
  if (issuer.length !== 0 && issuer.length !== 32) throw new NotProtobuf('the issuer is no fingerprint')
  return {
    version: 1,
    curve: curve === 1 ? 'P256' : 'CURVE25519',
    name: textOf(bytesOf(fields.get(1))),
    networks: networksOf(bytesOf(fields.get(2)), most),
    unsafeNetworks: networksOf(bytesOf(fields.get(3)), most),
    groups: (fields.get(4) ?? []).map((field) => textOf(bytesOf([field]))),
    notBefore: numberOf(fields.get(5)),
    notAfter: numberOf(fields.get(6)),
    publicKey: bytesOf(fields.get(7)),
    isCa: numberOf(fields.get(8)) === 1,
    ...(issuer.length > 0 && { issuer: Buffer.from(issuer).toString('hex') }),
    signature: bytesOf(outer.get(2)),
  }
}

/** The details: what is signed. */
export function signedV1(details: NebulaDetails): Buffer {
  return Buffer.concat([
    bytesField(1, Buffer.from(details.name)),
    bytesField(2, packed(details.networks)),
    bytesField(3, packed(details.unsafeNetworks)),
    ...details.groups.map((group) => bytesField(4, Buffer.from(group), true)),
    numberField(5, BigInt(details.notBefore)),
    numberField(6, BigInt(details.notAfter)),
    bytesField(7, details.publicKey),
    numberField(8, details.isCa ? 1n : 0n),
    bytesField(9, Buffer.from(details.issuer ?? '', 'hex')),
    numberField(100, details.curve === 'P256' ? 1n : 0n),
  ])
}

export const writeV1 = (certificate: NebulaCertificate): Buffer =>
  Buffer.concat([bytesField(1, signedV1(certificate), true), bytesField(2, certificate.signature)])

function fieldsOf(bytes: Uint8Array, most: number): Map<number, Field[]> {
  return Map.groupBy(readFields(bytes, most), ({ number }) => number)
}

function one(fields: readonly Field[] | undefined): Field | undefined {
  if (fields && fields.length > 1) throw new NotProtobuf('a field is there twice')
  return fields?.[0]
}

function bytesOf(fields: readonly Field[] | undefined): Uint8Array {
  const value = one(fields)?.value ?? new Uint8Array()
  if (typeof value === 'bigint') throw new NotProtobuf('a field is a number, and should not be')
  return value
}

function numberOf(fields: readonly Field[] | undefined): number {
  const value = one(fields)?.value ?? 0n
  if (typeof value !== 'bigint') throw new NotProtobuf('a field is no number')
  // Negative numbers are the large ones here; no time or flag is one.
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new NotProtobuf('a number is out of range')
  return Number(value)
}

function textOf(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw new NotProtobuf('a text is not UTF-8')
  }
}

/** Pairs of address and mask, of 32 bits each. */
function networksOf(bytes: Uint8Array, most: number): Network[] {
  const numbers = readPacked(bytes, most * 2)
  if (numbers.length % 2 !== 0) throw new NotProtobuf('an address has no mask')
  const networks: Network[] = []
  for (let i = 0; i < numbers.length; i += 2) {
    const [address = 0n, mask = 0n] = [numbers[i], numbers[i + 1]]
    const bits = mask.toString(2).replaceAll('0', '').length
    if (address > 0xffffffffn || mask !== maskOf(bits)) throw new NotProtobuf('a mask or address is none')
    networks.push({ family: 4, address, bits })
  }
  return networks
}

const maskOf = (bits: number) => (0xffffffffn << BigInt(32 - Math.min(bits, 32))) & 0xffffffffn

const packed = (networks: readonly Network[]): Buffer =>
  Buffer.concat(networks.flatMap(({ address, bits }) => [varint(address), varint(maskOf(bits))]))
