import { type KeyObject, randomBytes, scrypt } from 'node:crypto'
import { promisify } from 'node:util'
import nacl from 'tweetnacl'
import { isFailure, type Json, limits, parseJson } from '#base/index.ts'
import { failure } from './codes.ts'
import { formatPem, fromBase64, parsePem } from './pem.ts'
import { privateKeyFrom } from './private-key.ts'

// cosign's encrypted key file: PEM around JSON that names scrypt and NaCl's secretbox, and opens to PKCS #8.

const writtenLabel = 'ENCRYPTED SIGSTORE PRIVATE KEY'
const readLabels: readonly string[] = [writtenLabel, 'ENCRYPTED COSIGN PRIVATE KEY']

/** What cosign writes; r and p are never others. */
const writtenCost = 32_768
const blockSize = 8
const parallelism = 1
/** Those of go-securesystemslib (legacy, standard, OWASP): no file may ask for more work, and none should for less. */
const readCosts: readonly Json[] = [writtenCost, 65_536, 131_072]

const derived = promisify<Uint8Array, Uint8Array, number, object, Buffer>(scrypt)

/** Whether a text is meant as such a file. */
export const isKeyFile = (text: string): boolean =>
  readLabels.some((label) => text.includes(`-----BEGIN ${label}-----`))

/** A private key as an encrypted file, ready to be written; cosign reads it. Takes about 100 ms on purpose. */
export async function sealKeyFile(privateKey: KeyObject, password: string | Uint8Array): Promise<string> {
  const salt = randomBytes(32)
  const nonce = randomBytes(nacl.secretbox.nonceLength)
  const plain = privateKey.export({ type: 'pkcs8', format: 'der' })
  const secret = await secretFrom(password, salt, writtenCost)
  const ciphertext = nacl.secretbox(new Uint8Array(plain), nonce, secret)
  plain.fill(0)
  secret.fill(0)
  const body = {
    kdf: {
      name: 'scrypt',
      params: { N: writtenCost, r: blockSize, p: parallelism },
      salt: salt.toString('base64'),
    },
    cipher: { name: 'nacl/secretbox', nonce: nonce.toString('base64') },
    ciphertext: Buffer.from(ciphertext).toString('base64'),
  }
  return formatPem(writtenLabel, Buffer.from(JSON.stringify(body)))
}

/**
 * The private key in an encrypted file. The password is the bytes of the text in UTF-8, and may be empty.
 * @throws KEY_FILE_INVALID, KEY_PASSWORD_WRONG, KEY_TYPE_REFUSED
 */
export async function openKeyFile(
  text: string,
  password: string | Uint8Array,
  maxBytes: number = limits.keyBytes,
): Promise<KeyObject> {
  const { cost, salt, nonce, ciphertext } = parseKeyFile(text, maxBytes)
  const secret = await secretFrom(password, salt, cost)
  const plain = nacl.secretbox.open(ciphertext, nonce, secret)
  secret.fill(0)
  if (!plain) throw failure('KEY_PASSWORD_WRONG', 'the password does not open the key file')
  try {
    return privateKeyFrom(plain, 'pkcs8')
  } catch (error) {
    if (!isFailure(error, 'KEY_INVALID')) throw error
    throw failure('KEY_FILE_INVALID', 'the key file opens, but to something other than a key in PKCS #8')
  } finally {
    plain.fill(0)
  }
}

async function secretFrom(
  password: string | Uint8Array,
  salt: Uint8Array,
  cost: number,
): Promise<Uint8Array> {
  const bytes = typeof password === 'string' ? Buffer.from(password) : password
  const memory = 128 * cost * blockSize // bytes (RFC 7914 section 2)
  const options = { N: cost, r: blockSize, p: parallelism, maxmem: 2 * memory }
  return new Uint8Array(await derived(bytes, salt, nacl.secretbox.keyLength, options))
}

interface Sealed {
  readonly cost: number
  readonly salt: Uint8Array
  readonly nonce: Uint8Array
  readonly ciphertext: Uint8Array
}

/** Checks everything before the first of the expensive steps. @throws KEY_FILE_INVALID */
function parseKeyFile(text: string, maxBytes: number): Sealed {
  if (text.length > maxBytes) throw invalid(`it has ${text.length} bytes, over the limit of ${maxBytes}`)
  try {
    const [block, ...more] = parsePem(text)
    if (!block || more.length > 0) throw invalid('it does not hold exactly one PEM block')
    if (!readLabels.includes(block.label)) throw invalid(`${block.label} is not an encrypted key`)
    return sealedIn(parseJson(block.bytes, { maxBytes }))
  } catch (cause) {
    if (isFailure(cause, 'KEY_FILE_INVALID')) throw cause
    throw failure('KEY_FILE_INVALID', 'the key file is malformed', { cause })
  }
}

function sealedIn(value: Json): Sealed {
  const file = members(value, ['kdf', 'cipher', 'ciphertext'])
  const kdf = members(file.kdf, ['name', 'params', 'salt'])
  const cipher = members(file.cipher, ['name', 'nonce'])
  const { N: cost, r, p } = members(kdf.params, ['N', 'r', 'p'])
  if (kdf.name !== 'scrypt') throw invalid('its key derivation is not scrypt')
  if (cipher.name !== 'nacl/secretbox') throw invalid('its cipher is not nacl/secretbox')
  if (typeof cost !== 'number' || !readCosts.includes(cost) || r !== blockSize || p !== parallelism) {
    throw invalid(
      `its scrypt parameters are none of N ${readCosts.join(', ')} with r ${blockSize} and p ${parallelism}`,
    )
  }
  return {
    cost,
    salt: sized(kdf.salt, 'salt', 16, 64),
    nonce: sized(cipher.nonce, 'nonce', nacl.secretbox.nonceLength, nacl.secretbox.nonceLength),
    ciphertext: sized(
      file.ciphertext,
      'ciphertext',
      nacl.secretbox.overheadLength + 1,
      Number.MAX_SAFE_INTEGER,
    ),
  }
}

/** An object with these members and no others. */
function members<K extends string>(value: Json | undefined, names: readonly K[]): Record<K, Json> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid('an object is missing')
  const keys = Object.keys(value)
  if (keys.length !== names.length || !names.every((name) => keys.includes(name))) {
    throw invalid(`an object has other members than ${names.join(', ')}`)
  }
  return value as Record<K, Json>
}

function sized(value: Json, name: string, least: number, most: number): Uint8Array {
  const bytes = typeof value === 'string' ? fromBase64(value) : undefined
  if (!bytes || bytes.length < least || bytes.length > most) {
    throw invalid(`its ${name} is not base64 of the right length`)
  }
  return new Uint8Array(bytes)
}

const invalid = (why: string) => failure('KEY_FILE_INVALID', `this is no encrypted key file: ${why}`)
