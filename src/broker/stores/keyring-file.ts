import { createCipheriv, createDecipheriv, hkdf, randomBytes, scrypt } from 'node:crypto'
import { promisify } from 'node:util'
import { type Static, Type } from 'typebox'
import {
  canonicalJson,
  isFailure,
  type Json,
  parseJson,
  type SecretLimits,
  secretLimits,
} from '#base/index.ts'
import { shapeProblems } from '#base/shape/index.ts'
import { failure } from './codes.ts'
import { type Keyring, masterKey, masterKeyBytes } from './keyring.ts'

/** What opens a keyring's file: a password, or the bytes of a key file (32 of them at least, random). */
export type KeyringSecret =
  | { readonly kind: 'password'; readonly password: Uint8Array }
  | { readonly kind: 'key-file'; readonly bytes: Uint8Array }

const closed = { additionalProperties: false }
/** Canonical base64 of a fixed size is checked when it is decoded. */
const base64 = Type.String({ maxLength: 16_384, pattern: '^[A-Za-z0-9+/]*={0,2}$' })
/** scrypt's N (RFC 7914) with r 8 and p 1: no file may ask for more work, and none should for less. */
const cost = Type.Union([Type.Literal(32_768), Type.Literal(65_536), Type.Literal(131_072)])
type Cost = Static<typeof cost>
const blockSize = 8
const fileSchema = Type.Object(
  {
    format: Type.Literal('sealift-keyring/1'),
    kdf: Type.Union([
      Type.Object(
        {
          name: Type.Literal('scrypt'),
          cost,
          salt: base64,
        },
        closed,
      ),
      Type.Object({ name: Type.Literal('hkdf-sha256'), salt: base64 }, closed),
    ]),
    cipher: Type.Literal('aes-256-gcm'),
    nonce: base64,
    ciphertext: base64,
  },
  closed,
)
type KeyringFile = Static<typeof fileSchema>
const keysSchema = Type.Object(
  { active: Type.String(), keys: Type.Array(base64, { minItems: 1, uniqueItems: true }) },
  closed,
)

const saltBytes = 32
const nonceBytes = 12
const tagBytes = 16
const derive = promisify<Uint8Array, Uint8Array, number, object, Buffer>(scrypt)
const expand = promisify(hkdf)

/** All that is not encrypted is authenticated: no other cost, salt or format can be put in its place. */
const additional = ({ format, kdf, cipher }: Pick<KeyringFile, 'format' | 'kdf' | 'cipher'>) =>
  canonicalJson({ format, kdf, cipher })

/**
 * A keyring as a file, ready to be written. With a password it takes up to half a second, on purpose.
 *
 * @throws KEYRING_INVALID where the secret is no secret (an empty password, a key file that is too small or large)
 */
export async function formatKeyring(
  keyring: Keyring,
  secret: KeyringSecret,
  cost: Cost = 131_072,
): Promise<Uint8Array> {
  const salt = randomBytes(saltBytes).toString('base64')
  const head: Pick<KeyringFile, 'format' | 'kdf' | 'cipher'> = {
    format: 'sealift-keyring/1',
    kdf: secret.kind === 'password' ? { name: 'scrypt', cost, salt } : { name: 'hkdf-sha256', salt },
    cipher: 'aes-256-gcm',
  }
  const nonce = randomBytes(nonceBytes)
  const key = await keyFrom(head.kdf, secret)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(additional(head))
  const keys = [...keyring.keys.values()].map((master) => master.export().toString('base64'))
  const plain = canonicalJson({ active: keyring.activeId, keys })
  const ciphertext = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()])
  plain.fill(0)
  key.fill(0)
  const file = { ...head, nonce: nonce.toString('base64'), ciphertext: ciphertext.toString('base64') }
  return Buffer.from(`${JSON.stringify(file, undefined, 2)}\n`)
}

/** @throws KEYRING_INVALID, and KEYRING_LOCKED where the secret is another one or the file was changed */
export async function parseKeyring(
  bytes: Uint8Array,
  secret: KeyringSecret,
  limits: Pick<SecretLimits, 'keyringBytes' | 'masterKeys'> = secretLimits,
): Promise<Keyring> {
  const file = shaped(bytes, limits.keyringBytes)
  const nonce = decoded(file.nonce)
  const sealed = decoded(file.ciphertext)
  if (nonce.length !== nonceBytes || decoded(file.kdf.salt).length !== saltBytes || sealed.length <= tagBytes)
    throw invalid('its nonce, salt or ciphertext has a wrong size')
  const key = await keyFrom(file.kdf, secret)
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: tagBytes })
  key.fill(0)
  decipher.setAAD(additional(file))
  decipher.setAuthTag(sealed.subarray(-tagBytes))
  let plain: Buffer
  try {
    plain = Buffer.concat([decipher.update(sealed.subarray(0, -tagBytes)), decipher.final()])
  } catch {
    throw failure('KEYRING_LOCKED', 'the keyring does not open with what was given')
  }
  try {
    return keyringIn(plain, limits)
  } finally {
    plain.fill(0)
  }
}

function shaped(bytes: Uint8Array, maxBytes: number): KeyringFile {
  let value: Json
  try {
    value = parseJson(bytes, { maxBytes, maxDepth: 4 })
  } catch (error) {
    throw invalid(isFailure(error) ? error.message : 'it is not JSON')
  }
  if (shapeProblems(fileSchema, value).length > 0) throw invalid('it does not have the form of one')
  return value as KeyringFile
}

/** Nothing of what is wrong is told: these are keys. */
function keyringIn(
  plain: Uint8Array,
  { keyringBytes, masterKeys }: Pick<SecretLimits, 'keyringBytes' | 'masterKeys'>,
) {
  let value: Json
  try {
    value = parseJson(plain, { maxBytes: keyringBytes, maxDepth: 4 })
  } catch {
    throw invalid('what it holds is not JSON')
  }
  if (shapeProblems(keysSchema, value).length > 0) throw invalid('what it holds are no keys')
  const { active, keys } = value as Static<typeof keysSchema>
  if (keys.length > masterKeys) throw invalid(`it holds more than ${masterKeys} keys`)
  const entries = keys.map((text) => {
    const key = decoded(text)
    if (key.length !== masterKeyBytes) throw invalid('it holds a key of another size')
    return masterKey(key)
  })
  const ring: Keyring = { activeId: active, keys: new Map(entries) }
  if (!ring.keys.has(active)) throw invalid('its active key is not in it')
  return ring
}

async function keyFrom(kdf: KeyringFile['kdf'], secret: KeyringSecret): Promise<Uint8Array> {
  const salt = decoded(kdf.salt)
  if (kdf.name === 'scrypt') {
    if (secret.kind !== 'password') throw failure('KEYRING_LOCKED', 'the keyring is opened by a password')
    if (secret.password.length === 0) throw invalid('its password is empty')
    const memory = 128 * kdf.cost * blockSize // bytes (RFC 7914 section 2)
    return derive(secret.password, salt, 32, { N: kdf.cost, r: blockSize, p: 1, maxmem: 2 * memory })
  }
  if (secret.kind !== 'key-file') throw failure('KEYRING_LOCKED', 'the keyring is opened by a key file')
  const { length } = secret.bytes
  if (length < 32 || length > secretLimits.keyFileBytes)
    throw invalid(`a key file has 32 to ${secretLimits.keyFileBytes} bytes, and this one ${length}`)
  return new Uint8Array(await expand('sha256', secret.bytes, salt, 'sealift-keyring/1', 32))
}

function decoded(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.toString('base64') !== text) throw invalid('a field of it is not base64')
  return bytes
}

const invalid = (why: string) => failure('KEYRING_INVALID', `the keyring is refused: ${why}`)
