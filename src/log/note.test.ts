import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { isFailure, limits } from '#base/index.ts'
import { parseCheckpoint, verifyCheckpoint } from './checkpoint.ts'
import { cosignatureVerifier, cosignedAt, cosigner } from './cosignature.ts'
import { formatNote, formatSignature, parseNote, signNote, verifyNote } from './note.ts'
import { formatNoteKey, noteKey, noteSigner, noteVerifier, parseNoteKey } from './note-key.ts'

const failsWith = (code: string) => (error: unknown) => isFailure(error, code)
const key = () => generateKeyPairSync('ed25519').privateKey
const signer = noteSigner('example.com/log', key())
const verifier = noteVerifier(signer)

// The example of C2SP signed-note (CC BY 4.0).
const exampleKey = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k'
const example = `This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
`

test('the example of C2SP signed-note verifies', () => {
  const known = noteVerifier(parseNoteKey(exampleKey))
  assert.equal(verifyNote(example, [known]).text, 'This is an example message.\n')
  assert.equal(formatNoteKey(parseNoteKey(exampleKey)), exampleKey)
  const changed = example.replace('example message', 'example massage')
  assert.throws(() => verifyNote(changed, [known]), failsWith('NOTE_SIGNATURE_INVALID'))
  assert.throws(() => verifyNote(example, [verifier]), failsWith('NOTE_KEY_UNKNOWN'))
})

const vectors = join(import.meta.dirname, '../../../shared/vectors/c2sp/examples.json')
const absent = existsSync(vectors) ? false : 'NOT TESTED: the shared vectors are not here'

test('the shared vectors of C2SP are read', { skip: absent }, () => {
  const { signed_note, checkpoint_with_cosignature } = JSON.parse(readFileSync(vectors, 'utf8'))
  verifyNote(signed_note.note, [noteVerifier(parseNoteKey(signed_note.vkey))])
  const { origin, size } = parseCheckpoint(checkpoint_with_cosignature)
  assert.deepEqual({ origin, size }, { origin: 'example.com/behind-the-sofa', size: 20_852_163 })
  const { signatures } = parseNote(checkpoint_with_cosignature)
  assert.equal(signatures[1]!.name, 'witness.example.com/w1')
  assert.equal(cosignedAt(signatures[1]!.bytes), 1_679_315_147n)
})

test('what is signed verifies, by each of several keys', async () => {
  const other = noteSigner('example.com/other', key())
  const note = await signNote('one\n\ntwo\n', [signer, other])
  const parsed = verifyNote(note, [verifier, noteVerifier(other)])
  assert.equal(parsed.text, 'one\n\ntwo\n')
  assert.deepEqual(
    parsed.signatures.map(({ name }) => name),
    ['example.com/log', 'example.com/other'],
  )
  for (const text of ['', 'no newline', 'a\tb\n', 'a\r\n', 'a\0\n', '\ud800\n']) {
    await assert.rejects(signNote(text, [signer]), failsWith('NOTE_INVALID'))
  }
})

test('a key held elsewhere signs as well', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const near = noteSigner('example.com/log', privateKey)
  const far = noteSigner('example.com/log', { publicKey, sign: (message) => near.sign(message) })
  assert.equal(far.keyId, near.keyId)
  verifyNote(await signNote('text\n', [far]), [noteVerifier(near)])
})

test('one bad signature of a known key condemns the note; unknown keys do not matter', async () => {
  const other = noteSigner('example.com/other', key())
  const known = [verifier, noteVerifier(other)]
  const note = await signNote('text\n', [signer, other])
  const line = (name: string, keyId: number, bytes: Uint8Array) => formatSignature({ name, keyId, bytes })
  const bad = new Uint8Array(64)
  const unknown = [
    line(signer.name, (signer.keyId + 1) % 2 ** 32, bad),
    line('example.com/log2', signer.keyId, bad),
    line('example.com/log2', signer.keyId, bad),
  ]
  for (const more of unknown) verifyNote(note + more + more, known)
  const single = await signNote('text\n', [signer])
  for (const bytes of [bad, bad.subarray(1), new Uint8Array(65)]) {
    const spoilt = single + line(other.name, other.keyId, bytes)
    assert.throws(() => verifyNote(spoilt, known), failsWith('NOTE_SIGNATURE_INVALID'))
    verifyNote(spoilt, [verifier])
  }
  const twice = single + single.slice(single.indexOf('—'))
  assert.throws(() => verifyNote(twice, known), failsWith('NOTE_INVALID'))
})

test('what is not a note is refused', async () => {
  const line = '— a AAAAAAA=\n'
  const wrong = [
    '',
    '\n',
    'text\n',
    `text\n${line}`,
    'text\n\n',
    `text\n\n${line.slice(0, -1)}`,
    `text\n\n${line}\n`,
    `text\n\n${line}more\n`,
    'text\n\n- a AAAAAAA=\n',
    'text\n\n—  a AAAAAAA=\n',
    'text\n\n— a  AAAAAAA=\n',
    'text\n\n— a AAAAAAA= \n',
    'text\n\n— a AAAAAAA= x\n',
    'text\n\n— a+b AAAAAAA=\n',
    'text\n\n— a\u00a0b AAAAAAA=\n',
    'text\n\n— a\u2003b AAAAAAA=\n',
    'text\n\n— a\u0085b AAAAAAA=\n',
    'text\n\n—  AAAAAAA=\n',
    'text\n\n— a AAAAAAA\n',
    'text\n\n— a AAAAAAB=\n',
    'text\n\n— a AAAAAA==\n',
    'text\n\n— a AAAA_AA=\n',
    `te\rxt\n\n${line}`,
    `te\txt\n\n${line}`,
    `text\n\n${line.replace('\n', '\r\n')}`,
    `te\0xt\n\n${line}`,
  ]
  for (const note of wrong) {
    assert.throws(() => parseNote(note), failsWith('NOTE_INVALID'), JSON.stringify(note))
  }
  const notUtf8 = Buffer.concat([Buffer.of(0xff), Buffer.from(`text\n\n${line}`)])
  assert.throws(() => parseNote(notUtf8), failsWith('NOTE_INVALID'))
})

test('a note has at most so many signatures and bytes', () => {
  const line = '— a AAAAAAA=\n'
  const note = `text\n\n${line.repeat(16)}`
  const at = { noteBytes: Buffer.byteLength(note), noteSignatures: 16 }
  assert.equal(parseNote(note, at).signatures.length, 16)
  assert.equal(parseNote(Buffer.from(note), at).signatures.length, 16)
  assert.throws(() => parseNote(note, { ...at, noteSignatures: 15 }), failsWith('NOTE_INVALID'))
  assert.throws(() => parseNote(note, { ...at, noteBytes: at.noteBytes - 1 }), failsWith('NOTE_INVALID'))
  assert.ok(limits.noteSignatures >= 16, 'signed-note asks for 16 at least')
})

test('verifier keys are read in their one spelling', () => {
  const [name, id, bytes] = exampleKey.split('+') as [string, string, string]
  const wrong = [
    '',
    name,
    `${name}+${id}`,
    `+${id}+${bytes}`,
    `${name}+${id}+${bytes}+`,
    `${name}x+${id}+${bytes}`,
    `${name}+${id.toUpperCase()}+${bytes}`,
    `${name}+530d903b+${bytes}`,
    `${name}+${id}+${bytes.slice(0, -4)}`,
    `${name}+${id}+A${bytes}`,
    `${name}+${id}+Bg${bytes.slice(2)}`,
    `a b+${id}+${bytes}`,
    `${'n'.repeat(600)}+${id}+${bytes}`,
  ]
  for (const text of wrong) assert.throws(() => parseNoteKey(text), failsWith('NOTE_KEY_INVALID'), text)
  for (const name of ['', 'a b', 'a+b', 'a\nb', 'n'.repeat(256)]) {
    assert.throws(() => noteKey(name, key()), failsWith('NOTE_KEY_INVALID'))
  }
  const rsa = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  assert.throws(() => noteKey('a', rsa), failsWith('NOTE_KEY_INVALID'))
  const { publicKey } = generateKeyPairSync('ed25519')
  assert.throws(() => noteSigner('a', publicKey), failsWith('NOTE_KEY_INVALID'))
})

test('checkpoints are parsed strictly', () => {
  const root = 'CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I='
  const note = (text: string) => `${text}\n— a AAAAAAA=\n`
  assert.equal(parseCheckpoint(note(`o\n7\n${root}\nextension\n`)).size, 7)
  assert.equal(parseCheckpoint(note(`o\n9007199254740991\n${root}\n`)).size, Number.MAX_SAFE_INTEGER)
  const wrong = [
    'o\n7\n',
    `o\n\n${root}\n`,
    `\n7\n${root}\n`,
    `o\n07\n${root}\n`,
    `o\n-7\n${root}\n`,
    `o\n+7\n${root}\n`,
    `o\n7.0\n${root}\n`,
    `o\n7e3\n${root}\n`,
    `o\n 7\n${root}\n`,
    `o\n9007199254740992\n${root}\n`,
    `o\n99999999999999999999999\n${root}\n`,
    `o\n7\n${root.slice(4)}\n`,
    `o\n7\n${root.replace('I=', 'J=')}\n`,
    `o\n7\n${root}\n\n`,
    `o\n7\n${root}\n\nx\n`,
    `o\n0\n${root}\n`,
  ]
  for (const text of wrong) {
    assert.throws(() => parseCheckpoint(note(text)), failsWith('CHECKPOINT_INVALID'), JSON.stringify(text))
  }
})

test('a cosignature carries its time, and is of one checkpoint', async () => {
  const witness = cosigner('witness.example/w', key(), () => new Date('2026-01-02T03:04:05.678Z'))
  const text = 'example.com/log\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n'
  const note = await signNote(text, [signer, witness])
  const trust = {
    origin: 'example.com/log',
    verifiers: [verifier],
    witnesses: [cosignatureVerifier(witness)],
  }
  assert.equal(verifyCheckpoint(note, trust).size, 1)
  const { bytes, keyId, name } = parseNote(note).signatures[1]!
  assert.equal(cosignedAt(bytes), BigInt(Date.UTC(2026, 0, 2, 3, 4, 5) / 1000))
  const only = await signNote(text, [signer])
  for (const spoilt of [
    bytes.with(7, bytes[7]! ^ 1),
    bytes.with(0, 0x80),
    bytes.subarray(8),
    bytes.with(70, 1),
  ]) {
    const wrong = only + formatSignature({ name, keyId, bytes: spoilt })
    assert.throws(() => verifyCheckpoint(wrong, trust), failsWith('NOTE_SIGNATURE_INVALID'))
  }
  assert.throws(() => verifyCheckpoint(only, trust), failsWith('NOTE_KEY_UNKNOWN'))
  // A witness is no log, and a log is no witness.
  const alone = await signNote(text, [witness])
  assert.throws(() => verifyCheckpoint(alone, { ...trust, quorum: 0 }), failsWith('NOTE_KEY_UNKNOWN'))
  assert.throws(() => verifyCheckpoint(note, { ...trust, origin: 'other' }), failsWith('LOG_ORIGIN_WRONG'))
})

/** Texts that look like notes, and are nearly right. */
const pieces = fc.constantFrom(
  '\n',
  '\n\n',
  '— ',
  'a ',
  'AAAAAAA=',
  'text',
  ' ',
  '+',
  '\r',
  '\u0085',
  '—',
  '\ud800',
  '0',
  '7',
)
const nearly = fc.array(pieces, { maxLength: 24 }).map((parts) => parts.join(''))

test('a note that is read is written back as it was; anything else is refused with a code', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        nearly,
        nearly.map((text) => `text\n\n${text}`),
        fc.string({ unit: 'grapheme' }),
      ),
      (text) => {
        try {
          const note = parseNote(text)
          assert.equal(formatNote(note), text)
        } catch (error) {
          if (!isFailure(error, 'NOTE_INVALID')) throw error
        }
      },
    ),
    { numRuns: 2000 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        parseNote(bytes)
        parseCheckpoint(bytes)
      } catch (error) {
        if (!isFailure(error)) throw error
      }
    }),
  )
})
