import { createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto'
import { type Static, Type } from 'typebox'
import { canonicalJson, type Json, parseJson } from '#base/index.ts'
import { shapeProblems } from '#base/shape/index.ts'
import { createAuthority, openAuthority, publicKeyOf } from '#keys/index.ts'
import { failure } from './codes.ts'

/** As many can have tokens that have not ended. */
export const mostKeys = 16

const pem = Type.String({ maxLength: 16_384 })
const milliseconds = Type.Integer({ minimum: 0 })
const schema = Type.Object(
  {
    version: Type.Literal(1),
    /** Vouches for all keys, so that who trusts its certificate need not follow their rotation. */
    root: Type.Object({ key: pem, certificate: pem }, { additionalProperties: false }),
    keys: Type.Array(
      Type.Object({ key: pem, certificate: pem, signsFrom: milliseconds }, { additionalProperties: false }),
      { minItems: 1, maxItems: mostKeys },
    ),
  },
  { additionalProperties: false },
)

/** The keys as they lie in the state: in the order in which they sign. */
export type KeyRecord = Static<typeof schema>
export type KeyEntry = KeyRecord['keys'][number]

export const formatKeyRecord = (record: KeyRecord): Uint8Array => canonicalJson(record as unknown as Json)

/** @throws TOKEN_KEYS_INVALID; nothing of what is there is told: these are keys */
export function parseKeyRecord(bytes: Uint8Array): KeyRecord {
  try {
    const value = parseJson(bytes, { maxBytes: 1024 * 1024, maxDepth: 8 })
    if (shapeProblems(schema, value).length === 0) return value as unknown as KeyRecord
  } catch {
    // Told below, in few words.
  }
  throw failure('TOKEN_KEYS_INVALID', 'the record of the keys of tokens is damaged')
}

const yearMs = 365 * 86_400_000

/** A root, and the first key. */
export async function firstRecord(at: Date): Promise<KeyRecord> {
  const key = newKey()
  const made = await createAuthority({
    subject: { commonName: `Sealift attestation tokens ${at.toISOString()}` },
    key,
    pathLength: 0,
    // Clocks of those who check differ a little.
    notBefore: new Date(at.getTime() - 3_600_000),
    notAfter: new Date(at.getTime() + 20 * yearMs),
  })
  const root = { key: pemOf(key), certificate: made.certificate.pem }
  return { version: 1, root, keys: [await newEntry(root, at, at.getTime())] }
}

/** Another key under the same root. */
export async function newEntry(root: KeyRecord['root'], at: Date, signsFrom: number): Promise<KeyEntry> {
  const key = newKey()
  const authority = openAuthority(root.certificate, createPrivateKey(root.key))
  const { notBefore, notAfter } = authority.validity
  const { pem: certificate } = await authority.issue({
    subject: { commonName: 'Sealift attestation token key' },
    publicKey: publicKeyOf(key),
    usages: ['client'],
    uris: ['urn:sealift:attestation-token'],
    notBefore: new Date(Math.max(notBefore.getTime(), at.getTime() - 3_600_000)),
    notAfter,
  })
  return { key: pemOf(key), certificate, signsFrom }
}

/** @throws whatever node:crypto says of what is no certificate */
export const derOf = (certificate: string): Uint8Array => new X509Certificate(certificate).raw

const newKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const pemOf = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }) as string
