import { isFailure } from '#base/index.ts'
import {
  formatCosignRequest,
  formatLogProof,
  formatNoteKey,
  parseCheckpoint,
  parseCosignRequest,
  parseLogProof,
  parseNote,
  parseNoteKey,
  verifyInclusion,
} from '#log/index.ts'
import type { FuzzTarget } from '../targets.ts'

const root = Buffer.alloc(32, 7).toString('base64')
const line = `— log.example/audit ${Buffer.alloc(68, 9).toString('base64')}\n`
const cosigned = `— witness.example/w ${Buffer.alloc(76, 5).toString('base64')}\n`
const checkpoint = `log.example/audit\n4\n${root}\n\n${line}`
const words = [
  '\n',
  '\n\n',
  '— ',
  ' ',
  '+',
  '=',
  '0',
  '9007199254740992',
  'index ',
  'extra ',
  '\r',
  '\u0085',
  '\u2003',
]
const key = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k'

const text = (input: Uint8Array): string => new TextDecoder().decode(input)

export const logTargets: readonly FuzzTarget[] = [
  {
    name: 'note',
    corpus: [`text\n\n${line}`, `one\n\ntwo\n\n${line}${cosigned}`, checkpoint, '\n\n— a AAAAAAA=\n'],
    words,
    run(input) {
      const note = parseNote(input)
      if (!text(input).startsWith(note.text)) throw new Error('the text of the note is not its beginning')
      return note.signatures.length
    },
  },
  {
    name: 'checkpoint',
    corpus: [checkpoint, checkpoint.replace('\n\n', '\nextension\n\n'), `${checkpoint}${cosigned}`],
    words,
    run(input) {
      const { origin, size, note } = parseCheckpoint(input)
      if (!note.startsWith(`${origin}\n${size}\n`)) throw new Error('the checkpoint is not what it reads as')
      return size > 1000
    },
  },
  {
    name: 'tlog-proof',
    corpus: [
      `c2sp.org/tlog-proof@v1\nindex 2\n${root}\n${root}\n\n${checkpoint}`,
      `c2sp.org/tlog-proof@v1\nextra AAAA\nindex 0\n\n${checkpoint}`,
    ],
    words,
    run(input) {
      const proof = parseLogProof(input)
      if (formatLogProof(proof) !== text(input)) throw new Error('the proof is not written as it was read')
      try {
        const { size, root } = parseCheckpoint(proof.checkpoint)
        verifyInclusion(Buffer.alloc(32), proof.index, { size, root }, proof.hashes)
      } catch (error) {
        if (!isFailure(error, 'LOG_PROOF_INVALID')) throw error
      }
      return proof.hashes.length
    },
  },
  {
    name: 'cosign-request',
    corpus: [`old 2\n${root}\n${root}\n\n${checkpoint}`, `old 0\n\n${checkpoint}`],
    words: [...words, 'old '],
    run(input) {
      const request = parseCosignRequest(input)
      if (formatCosignRequest(request) !== text(input)) throw new Error('it is not written as it was read')
      return request.proof.length
    },
  },
  {
    name: 'note-key',
    corpus: [key, key.replace('+A', '+B')],
    words: ['+', 'A', '=', ' ', '/'],
    run(input) {
      const given = text(input)
      if (formatNoteKey(parseNoteKey(given)) !== given)
        throw new Error('the key is not written as it was read')
    },
  },
]
