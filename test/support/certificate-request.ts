import { type KeyObject, sign } from 'node:crypto'
import { isIPv4 } from 'node:net'
import { derWriter, publicKeyOf } from '#keys/index.ts'

const { bitString, context, contextString, der, oid, sequence, smallInteger, tags } = derWriter

/** What a certificate request asks for. */
export interface Asked {
  readonly commonName?: string
  readonly dns?: readonly string[]
  /** IPv4 alone. */
  readonly ip?: readonly string[]
  readonly uris?: readonly string[]
  readonly emails?: readonly string[]
}

/** A certificate request (PKCS #10) in DER, signed with a key of ECDSA on P-256 or Ed25519. */
export function certificateRequest(key: KeyObject, asked: Asked = {}): Buffer {
  const { commonName, dns = [], ip = [], uris = [], emails = [] } = asked
  const text = (kind: number, names: readonly string[]) =>
    names.map((name) => contextString(kind, Buffer.from(name, 'latin1')))
  const addresses = ip
    .filter(isIPv4)
    .map((address) => contextString(7, Buffer.from(address.split('.').map(Number))))
  const names = [...text(2, dns), ...addresses, ...text(6, uris), ...text(1, emails)]
  const extension = sequence(oid('2.5.29.17'), der(tags.octetString, sequence(...names)))
  const attribute = sequence(oid('1.2.840.113549.1.9.14'), der(tags.set, sequence(extension)))
  const attributes = context(0, ...(names.length > 0 ? [attribute] : []))
  const value = commonName === undefined ? undefined : der(tags.utf8String, Buffer.from(commonName))
  const subject = sequence(...(value ? [der(tags.set, sequence(oid('2.5.4.3'), value))] : []))
  const { spki, algorithm } = publicKeyOf(key)
  const body = sequence(smallInteger(0), subject, spki, attributes)
  const isEd25519 = algorithm === 'ed25519'
  const signature = sign(isEd25519 ? null : 'sha256', body, key)
  const id = isEd25519 ? '1.3.101.112' : '1.2.840.10045.4.3.2'
  return sequence(body, sequence(oid(id)), bitString(signature))
}
