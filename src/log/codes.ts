import { type CodeTable, failures } from '#base/index.ts'

export const codes = {
  NOTE_INVALID: {
    meaning: 'A text is not a signed note as C2SP signed-note says, or repeats the signature of one key.',
    remedy: 'Fetch it again; distrust the sender if it persists.',
  },
  NOTE_SIGNATURE_INVALID: {
    meaning: 'A note carries the name of a known key, and not its signature.',
    remedy: 'The note was changed after it was signed: do not use it, and tell whoever runs the log.',
  },
  NOTE_KEY_UNKNOWN: {
    meaning: 'No key that is trusted has signed a note, or fewer witnesses than are required.',
    remedy:
      'Compare the names in the signature lines with the keys you configured; give the missing key if you trust it.',
  },
  NOTE_KEY_INVALID: {
    meaning: 'A text is not a verifier key (NAME+HASH+KEY), or a key cannot sign notes.',
    remedy: 'Copy the whole line that the log or witness publishes; only Ed25519 keys can be used.',
  },
  CHECKPOINT_INVALID: {
    meaning: 'A signed note is not a checkpoint: origin, size and root hash, each on a line.',
    remedy: 'Check that the path or address is that of a log in the tlog-tiles format.',
  },
  LOG_NOT_FOUND: {
    meaning: 'There is no log: no checkpoint was found.',
    remedy: 'Check the path or address.',
  },
  LOG_ORIGIN_WRONG: {
    meaning: 'A checkpoint is signed for another log than the one that was asked for.',
    remedy: 'Check the path or address, and the origin that you configured.',
  },
  LOG_ENTRY_MISSING: {
    meaning: 'The log has no entry of this index.',
    remedy: 'Indexes begin at 0 and end before the size that the checkpoint tells.',
  },
  LOG_ENTRY_TOO_LARGE: {
    meaning: 'An entry is larger than the 65535 bytes that an entry bundle can hold.',
    remedy: 'Log the digest of what is large, and keep the content beside the log.',
  },
  LOG_TILE_INVALID: {
    meaning: 'A tile or entry bundle is absent, cut short, or not what the checkpoint says.',
    remedy:
      'The log was damaged or tampered with: restore it from a copy, and keep this one for examination.',
  },
  LOG_FORKED: {
    meaning: 'A log shows two histories: a checkpoint is not a continuation of one that was seen before.',
    remedy: 'Keep both checkpoints: together they prove that the log (or whoever holds its key) misbehaved.',
  },
  LOG_ROLLED_BACK: {
    meaning: 'A checkpoint is older than one that was seen before.',
    remedy:
      'Somebody replays an old state, or the log was restored from a backup: do not trust it before you know.',
  },
  LOG_PROOF_INVALID: {
    meaning: 'A proof does not show that an entry is in the log, or that one state continues another.',
    remedy: 'Ask for the proof again; the entry or the proof was changed if it persists.',
  },
  LOG_BUSY: {
    meaning: 'Another process writes to the log.',
    remedy:
      'Wait until it has ended, or ask it to write for you; for several writers keep the log in PostgreSQL.',
  },
  LOG_CLOSED: {
    meaning: 'The log was closed, or its lock was lost, before the entry was written.',
    remedy: 'Open the log again. The entry was not written.',
  },
  LOG_DATABASE: {
    meaning: 'The database that holds the log refused an operation.',
    remedy: 'Check that it can be reached, and the rights of the role: it creates tables on first use.',
  },
  WITNESS_CONFLICT: {
    meaning: 'A witness has seen another size of the log than the one the proof begins at.',
    remedy: 'Send the proof from the size that the witness tells.',
  },
  WITNESS_UNKNOWN_LOG: {
    meaning: 'A witness was asked to cosign for a log that it is not configured for.',
    remedy: 'Give the witness the origin and the key of the log.',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
