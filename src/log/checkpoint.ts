import { failure } from './codes.ts'
import { emptyRoot, hashBytes, isEqual } from './hash.ts'
import { formatNote, type Note, parseBase64, parseDecimal, parseNote, verifySignatures } from './note.ts'
import type { Checkpoint, NoteVerifier } from './types.ts'

/** Whom one believes about a log. */
export interface CheckpointTrust {
  /** What the checkpoint's first line must say. */
  readonly origin: string
  /** Keys of the log: at least one must have signed. */
  readonly verifiers: readonly NoteVerifier[]
  /** Keys of witnesses (`cosignatureVerifier`). */
  readonly witnesses?: readonly NoteVerifier[]
  /** How many of the witnesses must have cosigned; all of them where it is not said. */
  readonly quorum?: number
}

/** The text that is signed (C2SP tlog-checkpoint, Note text). @throws CHECKPOINT_INVALID */
export function formatCheckpoint({ origin, size, root }: Omit<Checkpoint, 'note'>): string {
  if (origin === '' || /\p{Cc}/u.test(origin)) {
    throw failure('CHECKPOINT_INVALID', 'an origin must not be empty, and must be one line')
  }
  return `${origin}\n${size}\n${Buffer.from(root).toString('base64')}\n`
}

/**
 * Parses a checkpoint without a look at its signatures: for what is told about it, never to believe it.
 *
 * @throws NOTE_INVALID, CHECKPOINT_INVALID
 */
export function parseCheckpoint(note: Uint8Array | string): Checkpoint {
  return fromNote(parseNote(note))
}

/**
 * Parses a checkpoint and checks who has signed it.
 *
 * @throws NOTE_INVALID, CHECKPOINT_INVALID, LOG_ORIGIN_WRONG, NOTE_SIGNATURE_INVALID, NOTE_KEY_UNKNOWN
 */
export function verifyCheckpoint(note: Uint8Array | string, trust: CheckpointTrust): Checkpoint {
  const parsed = parseNote(note)
  const checkpoint = fromNote(parsed)
  if (checkpoint.origin !== trust.origin) {
    throw failure('LOG_ORIGIN_WRONG', `the checkpoint is of ${checkpoint.origin}, not of ${trust.origin}`)
  }
  const witnesses = trust.witnesses ?? []
  const signed = verifySignatures(parsed, [...trust.verifiers, ...witnesses])
  if (!signed.some((key) => trust.verifiers.includes(key))) {
    const names = parsed.signatures.map(({ name }) => name).join(', ')
    throw failure('NOTE_KEY_UNKNOWN', `the checkpoint is signed by ${names}, and by no key of the log`)
  }
  const quorum = trust.quorum ?? witnesses.length
  const cosigned = signed.filter((key) => witnesses.includes(key)).length
  if (cosigned < quorum) {
    throw failure(
      'NOTE_KEY_UNKNOWN',
      `${cosigned} known witnesses have cosigned the checkpoint, not ${quorum}`,
    )
  }
  return checkpoint
}

function fromNote(parsed: Note): Checkpoint {
  const [origin = '', sizeText = '', rootText = '', ...extensions] = parsed.text.slice(0, -1).split('\n')
  const invalid = (why: string) => failure('CHECKPOINT_INVALID', `not a checkpoint: ${why}`)
  if (origin === '') throw invalid('it has no origin')
  const size = parseDecimal(sizeText)
  if (size === undefined) throw invalid('its size is not a number from 0 to 2^53-1')
  const root = parseBase64(rootText)
  if (root?.length !== hashBytes) throw invalid('its root hash is not 32 bytes in base64')
  if (extensions.includes('')) throw invalid('it has an empty line')
  if (size === 0 && !isEqual(root, emptyRoot)) throw invalid('it tells another root for the empty tree')
  return { origin, size, root, note: formatNote(parsed) }
}
