import { sign } from 'node:crypto'
import {
  createAuthority,
  formatPem,
  generateKeyPair,
  keyAlgorithms,
  parseCertificateRequest,
  parseCertificates,
  parsePrivateKey,
  parsePublicKey,
  publicKeyOf,
  publicKeyPem,
} from '#keys/index.ts'
import type { FuzzTarget } from '../targets.ts'

const pairs = await Promise.all(keyAlgorithms.map((algorithm) => generateKeyPair(algorithm, 2048)))
const [ed25519, p256] = [pairs[0]!, pairs[1]!]
const text = (input: Uint8Array): string => new TextDecoder().decode(input)
const lines = ['-----BEGIN ', '-----END ', 'PUBLIC KEY-----', '-----', '\n', '\r\n', '=', 'A']

const authority = await createAuthority({
  subject: { commonName: 'Fuzz' },
  key: p256.privateKey,
  notBefore: new Date('2026-01-01T00:00:00Z'),
  notAfter: new Date('2036-01-01T00:00:00Z'),
})

/** A request with an alternative name, by hand: DER of one sequence in another. */
function request(): Buffer {
  const value = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
    const { length } = Buffer.concat(parts)
    return Buffer.concat([Buffer.from(length < 128 ? [tag, length] : [tag, 0x81, length]), ...parts])
  }
  const hex = (digits: string) => Buffer.from(digits, 'hex')
  const names = value(0x30, value(0x82, Buffer.from('a.example')))
  const extension = value(0x30, hex('0603551d11'), value(0x04, names))
  const attribute = value(0x30, hex('06092a864886f70d01090e'), value(0x31, value(0x30, extension)))
  const subject = value(0x30, value(0x31, value(0x30, hex('0603550403'), value(0x0c, Buffer.from('a')))))
  const body = value(0x30, hex('020100'), subject, p256.publicKey.spki, value(0xa0, attribute))
  const signature = sign('sha256', body, p256.privateKey)
  return value(0x30, body, hex('300a06082a8648ce3d040302'), value(0x03, Buffer.from([0]), signature))
}

export const keysTargets: readonly FuzzTarget[] = [
  {
    name: 'public-key',
    corpus: pairs.flatMap(({ publicKey }) => [publicKeyPem(publicKey), publicKey.spki]),
    words: lines,
    run(input) {
      const key = parsePublicKey(input)
      if (parsePublicKey(publicKeyPem(key)).id !== key.id) throw new Error('the key has two ids')
      return key.algorithm
    },
  },
  {
    name: 'private-key',
    corpus: [
      ...pairs.map(({ privateKey }) => privateKey.export({ type: 'pkcs8', format: 'pem' })),
      p256.privateKey.export({ type: 'sec1', format: 'pem' }),
    ],
    words: [...lines, 'EC PRIVATE KEY', 'RSA PRIVATE KEY'],
    run: (input) => publicKeyOf(parsePrivateKey(text(input))).algorithm,
  },
  {
    name: 'certificate-request',
    corpus: [request(), formatPem('CERTIFICATE REQUEST', request())],
    words: lines,
    run: (input) => parseCertificateRequest(input).dnsNames.length,
  },
  {
    name: 'certificates',
    corpus: [authority.certificate.pem, authority.certificate.pem.repeat(2), publicKeyPem(ed25519.publicKey)],
    words: lines,
    run: (input) => parseCertificates(text(input)).length,
  },
]
