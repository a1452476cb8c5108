import { limits } from '#base/index.ts'
import { failure } from './codes.ts'
import type { NoteSigner, NoteVerifier } from './types.ts'

/** One line below a note's text. */
export interface NoteSignature {
  readonly name: string
  readonly keyId: number
  /** What follows the key id. */
  readonly bytes: Uint8Array
}

/** A signed note whose signatures nobody has looked at yet: do not use its text before `verifyNote`. */
export interface Note {
  /** With its last newline, and without the empty line after it. */
  readonly text: string
  readonly signatures: readonly NoteSignature[]
}

export interface NoteLimits {
  readonly noteBytes: number
  readonly noteSignatures: number
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The text that these bytes are in UTF-8, nothing left out or replaced; undefined where they are none. */
export function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

/**
 * Parses a signed note (C2SP signed-note, Format): UTF-8 without control characters, a text, an empty line, and
 * nothing but signature lines after it.
 *
 * @throws NOTE_INVALID
 */
export function parseNote(
  note: Uint8Array | string,
  { noteBytes, noteSignatures }: NoteLimits = limits,
): Note {
  const whole = decode(note, noteBytes)
  const end = whole.lastIndexOf('\n\n')
  if (end < 0) throw failure('NOTE_INVALID', 'a note has no empty line between its text and its signatures')
  const lines = whole.slice(end + 2)
  if (lines === '') throw failure('NOTE_INVALID', 'a note has no signature')
  if (!lines.endsWith('\n')) throw failure('NOTE_INVALID', 'a note does not end with a newline')
  const signatures = lines.slice(0, -1).split('\n', noteSignatures + 1)
  if (signatures.length > noteSignatures) {
    throw failure('NOTE_INVALID', `a note has more than ${noteSignatures} signatures`)
  }
  return { text: whole.slice(0, end + 1), signatures: signatures.map(parseSignature) }
}

/** @throws NOTE_INVALID */
export function parseSignature(line: string): NoteSignature {
  const [dash, name = '', text = '', ...rest] = line.split(' ', 4)
  if (dash !== '—' || rest.length > 0) throw failure('NOTE_INVALID', 'a line below a note is not a signature')
  assertKeyName(name, 'NOTE_INVALID')
  const bytes = parseBase64(text)
  if (!bytes || bytes.length < 5) {
    throw failure('NOTE_INVALID', 'a signature of a note is not a key id and bytes in base64')
  }
  return { name, keyId: Buffer.from(bytes).readUInt32BE(0), bytes: bytes.subarray(4) }
}

/** The note as it was: `parseNote` takes nothing that has two spellings. */
export function formatNote({ text, signatures }: Note): string {
  return `${text}\n${signatures.map(formatSignature).join('')}`
}

/** The line of a signature, with its newline. */
export function formatSignature({ name, keyId, bytes }: NoteSignature): string {
  const id = Buffer.alloc(4)
  id.writeUInt32BE(keyId)
  return `— ${name} ${Buffer.concat([id, bytes]).toString('base64')}\n`
}

/**
 * Checks the signatures of all known keys: unknown keys are ignored, and one bad signature of a known key condemns
 * the note (C2SP signed-note, Signatures).
 *
 * @returns the keys that have signed, each once; maybe none
 * @throws NOTE_SIGNATURE_INVALID, and NOTE_INVALID where a known key signs twice, which no honest tool lets it do
 */
export function verifySignatures(note: Note, verifiers: readonly NoteVerifier[]): NoteVerifier[] {
  const text = new TextEncoder().encode(note.text)
  const signed: NoteVerifier[] = []
  for (const { name, keyId, bytes } of note.signatures) {
    const verifier = verifiers.find((known) => known.name === name && known.keyId === keyId)
    if (!verifier) continue
    if (signed.includes(verifier)) throw failure('NOTE_INVALID', `${name} has signed the note twice`)
    verifier.verify(text, bytes)
    signed.push(verifier)
  }
  return signed
}

/**
 * Parses a note and checks it: at least one of the keys must have signed.
 *
 * @throws NOTE_INVALID, NOTE_SIGNATURE_INVALID, NOTE_KEY_UNKNOWN
 */
export function verifyNote(note: Uint8Array | string, verifiers: readonly NoteVerifier[]): Note {
  const parsed = parseNote(note)
  if (verifySignatures(parsed, verifiers).length === 0) {
    const names = parsed.signatures.map(({ name }) => name).join(', ')
    throw failure('NOTE_KEY_UNKNOWN', `the note is signed by ${names}, and by no key that is trusted`)
  }
  return parsed
}

/**
 * Signs a text that ends with a newline.
 *
 * @throws NOTE_INVALID where the text cannot be that of a note
 */
export async function signNote(text: string, signers: readonly NoteSigner[]): Promise<string> {
  if (!text.endsWith('\n') || !isNoteText(text)) {
    throw failure('NOTE_INVALID', 'the text of a note must be lines without control characters')
  }
  const bytes = new TextEncoder().encode(text)
  const lines = signers.map(async (signer) =>
    formatSignature({ name: signer.name, keyId: signer.keyId, bytes: await signer.sign(bytes) }),
  )
  return `${text}\n${(await Promise.all(lines)).join('')}`
}

/** Not empty, no Unicode spaces, no plus, no control characters (C2SP signed-note, Format). @throws the given code */
export function assertKeyName(name: string, code: 'NOTE_INVALID' | 'NOTE_KEY_INVALID'): void {
  if (name === '' || name.length > 255 || /[\s\p{Z}+\p{Cc}]/u.test(name) || !name.isWellFormed()) {
    throw failure(code, 'the name of a key is empty, too long, or has spaces or a plus in it')
  }
}

/** Standard base64 in its one spelling, with padding; undefined where it is not. */
export function parseBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : undefined
}

/** An integer from 0 to 2^53-1 without leading zeroes; undefined where it is not. */
export function parseDecimal(text: string): number | undefined {
  const value = /^(?:0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : undefined
  return value !== undefined && Number.isSafeInteger(value) ? value : undefined
}

function decode(note: Uint8Array | string, noteBytes: number): string {
  const bytes = typeof note === 'string' ? Buffer.byteLength(note) : note.length
  if (bytes > noteBytes) {
    throw failure('NOTE_INVALID', `a note of ${bytes} bytes is over the limit of ${noteBytes}`)
  }
  const text = typeof note === 'string' ? note : decodeText(note)
  if (text === undefined) throw failure('NOTE_INVALID', 'a note is not UTF-8')
  if (!isNoteText(text)) throw failure('NOTE_INVALID', 'a note holds control characters')
  return text
}

function isNoteText(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.isWellFormed() && !/[\x00-\x09\x0b-\x1f]/.test(text)
}
