import { createPublicKey, hash, KeyObject, sign, verify } from 'node:crypto'
import { failure } from './codes.ts'
import { assertKeyName, parseBase64 } from './note.ts'
import type { NoteSigner, NoteVerifier } from './types.ts'

/** An Ed25519 key that can sign: one of Node's, or whatever holds one (hardware, cloud). */
export type SigningKey =
  | KeyObject
  | { readonly publicKey: KeyObject; sign(message: Uint8Array): Promise<Uint8Array> }

/** Signature types of C2SP signed-note that are known here: a note's, and a timestamped cosignature of a checkpoint. */
export const noteTypes = { note: 0x01, cosignature: 0x04 } as const
export type NoteType = (typeof noteTypes)[keyof typeof noteTypes]

/** A key's name, type and 32 bytes: what a verifier key (vkey) says. */
export interface NoteKey {
  readonly name: string
  readonly type: NoteType
  readonly publicKey: Uint8Array
  /** First four bytes of SHA-256(name || 0x0A || type || public key). */
  readonly keyId: number
}

/** @throws NOTE_KEY_INVALID where the key is not Ed25519, or nobody may be called so */
export function noteKey(name: string, key: SigningKey, type: NoteType = noteTypes.note): NoteKey {
  assertKeyName(name, 'NOTE_KEY_INVALID')
  const publicKey = rawKey(key instanceof KeyObject ? key : key.publicKey)
  return { name, type, publicKey, keyId: keyIdOf(name, type, publicKey) }
}

/** Signs notes with a key's name on them. @throws NOTE_KEY_INVALID */
export function noteSigner(name: string, key: SigningKey): NoteSigner & NoteKey {
  return { ...noteKey(name, key), sign: ed25519(key) }
}

/** What signs with the key. */
export function ed25519(key: SigningKey): (message: Uint8Array) => Promise<Uint8Array> {
  if (!(key instanceof KeyObject)) return (message) => key.sign(message)
  if (key.type !== 'private') throw failure('NOTE_KEY_INVALID', 'a public key cannot sign')
  return async (message) => sign(null, message, key)
}

/** Verifies notes that a key has signed (type 0x01); for cosignatures there is `cosignatureVerifier`. */
export function noteVerifier(key: NoteKey): NoteVerifier {
  const publicKey = keyObject(key)
  return {
    name: key.name,
    keyId: key.keyId,
    verify(text, signature) {
      if (signature.length !== 64 || !verify(null, text, publicKey, signature)) {
        throw failure('NOTE_SIGNATURE_INVALID', `${key.name} has not signed this note`)
      }
    },
  }
}

/** A verifier key in C2SP's text form: NAME+HASH+KEY. */
export function formatNoteKey({ name, type, publicKey, keyId }: NoteKey): string {
  const key = Buffer.concat([Buffer.of(type), publicKey]).toString('base64')
  return `${name}+${keyId.toString(16).padStart(8, '0')}+${key}`
}

/** @throws NOTE_KEY_INVALID */
export function parseNoteKey(text: string): NoteKey {
  const invalid = (why: string) => failure('NOTE_KEY_INVALID', `not a verifier key: ${why}`)
  const first = text.indexOf('+')
  const second = text.indexOf('+', first + 1)
  if (text.length > 512 || first < 1 || second < 0) throw invalid('it must be NAME+HASH+KEY')
  const name = text.slice(0, first)
  assertKeyName(name, 'NOTE_KEY_INVALID')
  const id = text.slice(first + 1, second)
  if (!/^[0-9a-f]{8}$/.test(id)) throw invalid('its hash must have 8 hexadecimal digits')
  const bytes = parseBase64(text.slice(second + 1))
  const type = Object.values(noteTypes).find((known) => known === bytes?.[0])
  if (bytes?.length !== 33 || !type) throw invalid('its key is not Ed25519 for notes or cosignatures')
  const publicKey = bytes.subarray(1)
  const keyId = keyIdOf(name, type, publicKey)
  if (keyId !== Number.parseInt(id, 16)) throw invalid('its hash is that of another name or key')
  return { name, type, publicKey, keyId }
}

/** RFC 8410 section 4: what stands before the 32 bytes. */
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex')

/** @throws NOTE_KEY_INVALID */
export function keyObject({ name, publicKey }: NoteKey): KeyObject {
  try {
    const key = Buffer.concat([spkiPrefix, publicKey])
    return createPublicKey({ key, format: 'der', type: 'spki' })
  } catch (cause) {
    throw failure('NOTE_KEY_INVALID', `the key of ${name} is not an Ed25519 public key`, { cause })
  }
}

function rawKey(key: KeyObject): Uint8Array {
  if (key.asymmetricKeyType !== 'ed25519') {
    throw failure(
      'NOTE_KEY_INVALID',
      `notes are signed with Ed25519, not ${key.asymmetricKeyType ?? key.type}`,
    )
  }
  const publicKey = key.type === 'private' ? createPublicKey(key) : key
  return publicKey.export({ format: 'der', type: 'spki' }).subarray(spkiPrefix.length)
}

function keyIdOf(name: string, type: number, publicKey: Uint8Array): number {
  return hash(
    'sha256',
    Buffer.concat([Buffer.from(`${name}\n`), Buffer.of(type), publicKey]),
    'buffer',
  ).readUInt32BE(0)
}
