import { createHash, type KeyObject } from 'node:crypto'
import { failure } from '../codes.ts'
import { type Certificate, oids } from './certificate.ts'
import { children, expectTag, hex, malformed, oidHex, parseDer, tags } from './der.ts'
import { verifyBytes } from './signature.ts'

/** A log whose key is trusted for some time. */
export interface TrustedLog {
  /** Hex of its ids: of the key, and of the name and key (C2SP signed-note). */
  readonly ids: readonly string[]
  readonly key: KeyObject
  readonly validFrom: number
  readonly validUntil: number
}

/**
 * Whether a certificate-transparency log that is trusted promised to hold this certificate: every promise by a
 * known log must be good, and there must be one (RFC 6962 sections 3.2 and 3.3, precertificates).
 *
 * @throws CERTIFICATE_NOT_LOGGED, PROOF_MALFORMED
 */
export function checkCertificateLogged(
  leaf: Certificate,
  issuer: Certificate,
  logs: readonly TrustedLog[],
): void {
  const extension = leaf.extensions.get(oids.sctList)
  if (!extension)
    throw failure('CERTIFICATE_NOT_LOGGED', 'the certificate carries no promise of a certificate log')
  const list = expectTag(
    parseDer(extension.value),
    tags.octetString,
    'the list of certificate-log promises',
  ).value
  const precertificate = precertificateOf(leaf, issuer)
  let good = 0
  for (const sct of splitList(list)) {
    const known = logs.filter(
      ({ ids, validFrom, validUntil }) =>
        ids.includes(sct.log) && validFrom <= sct.time && sct.time <= validUntil,
    )
    if (known.length === 0) continue
    const signed = Buffer.concat([sct.head, precertificate, sct.extensions])
    if (!known.some(({ key }) => verifyBytes(key, signed, sct.signature, sct.hash)))
      throw failure('CERTIFICATE_NOT_LOGGED', 'the promise of a certificate log is not signed by that log')
    good++
  }
  if (good === 0)
    throw failure('CERTIFICATE_NOT_LOGGED', 'no trusted certificate log promised to hold the certificate')
}

/** Issuer key hash and the TBSCertificate without the list of promises (RFC 6962 section 3.2). */
function precertificateOf(leaf: Certificate, issuer: Certificate): Buffer {
  const fields = leaf.tbsFields.map((field, at) => {
    if (at <= 6 || field.tag !== 0xa3) return field.bytes
    const list = children(expectTag(children(field)[0], tags.sequence, 'the certificate’s extensions'))
    const kept = list.filter((one) => oidHex(children(one)[0]) !== oids.sctList).map(({ bytes }) => bytes)
    return wrap(0xa3, wrap(tags.sequence, Buffer.concat(kept)))
  })
  const tbs = wrap(tags.sequence, Buffer.concat(fields))
  const length = Buffer.alloc(3)
  length.writeUIntBE(tbs.length, 0, 3)
  return Buffer.concat([createHash('sha256').update(issuer.spki).digest(), length, tbs])
}

function wrap(tag: number, value: Uint8Array): Buffer {
  const { length } = value
  if (length < 0x80) return Buffer.concat([Buffer.of(tag, length), value])
  const octets = length < 0x100 ? 1 : length < 0x10000 ? 2 : 3
  const head = Buffer.alloc(2 + octets)
  head[0] = tag
  head[1] = 0x80 | octets
  head.writeUIntBE(length, 2, octets)
  return Buffer.concat([head, value])
}

interface SignedTimestamp {
  readonly log: string
  readonly time: number
  /** Version, signature type, timestamp and entry type, as they are signed. */
  readonly head: Uint8Array
  /** With their length. */
  readonly extensions: Uint8Array
  readonly hash: string | null
  readonly signature: Uint8Array
}

/** TLS encoding: a list of at most 64 KiB, each item with its length (RFC 6962 section 3.3). */
function splitList(list: Uint8Array): SignedTimestamp[] {
  const reader = new TlsReader(list)
  const items = new TlsReader(reader.vector())
  reader.end()
  const found: SignedTimestamp[] = []
  while (items.left > 0) {
    if (found.length === 16)
      throw malformed('a certificate carries more than 16 promises of certificate logs')
    found.push(readSct(new TlsReader(items.vector())))
  }
  return found
}

function readSct(reader: TlsReader): SignedTimestamp {
  const version = reader.take(1)
  if (version[0] !== 0) throw malformed('a certificate log’s promise is of an unknown version')
  const log = hex(reader.take(32))
  const stamp = reader.take(8)
  const extensions = reader.vectorWithLength()
  const [hash, algorithm] = reader.take(2)
  const signature = reader.vector()
  reader.end()
  const time = Number(Buffer.from(stamp).readBigUInt64BE())
  // signature_type certificate_timestamp(0), then the time, then entry_type precert_entry(1).
  const head = Buffer.concat([version, Buffer.of(0), stamp, Buffer.of(0, 1)])
  return { log, time, head, extensions, hash: hashOf(hash!, algorithm!), signature }
}

/** RFC 5246 section 7.4.1.4.1; RFC 8422 section 5.1.3 for Ed25519. */
function hashOf(hash: number, algorithm: number): string | null {
  if (hash === 8 && algorithm === 7) return null
  const name = { 4: 'sha256', 5: 'sha384', 6: 'sha512' }[hash]
  if (!name || (algorithm !== 1 && algorithm !== 3))
    throw malformed('a certificate log’s promise is signed with an algorithm that is not known')
  return name
}

class TlsReader {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  take(count: number): Uint8Array {
    if (this.left < count) throw malformed('a certificate log’s promise is cut off')
    const found = this.#bytes.subarray(this.#at, this.#at + count)
    this.#at += count
    return found
  }

  vectorWithLength(): Uint8Array {
    const start = this.#at
    const [high, low] = this.take(2)
    this.take(high! * 256 + low!)
    return this.#bytes.subarray(start, this.#at)
  }

  vector(): Uint8Array {
    return this.vectorWithLength().subarray(2)
  }

  end(): void {
    if (this.left > 0) throw malformed('a certificate log’s promise has bytes behind its end')
  }
}
