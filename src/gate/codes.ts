import { type CodeTable, failures } from '#base/index.ts'

export const codes = {
  RECORD_INVALID: {
    meaning: 'An entry of the audit log is none that Sealift writes.',
    remedy: 'Run `sealift audit verify`: it says whether the log itself is whole and where it was changed.',
  },
  AUDIT_OBJECT_MISSING: {
    meaning:
      'Evidence, a policy or trust material that a record names is not kept beside the log, or is damaged.',
    remedy:
      'Bring back the audit folder from its copy: what a digest names is the same wherever it comes from.',
  },
  AUDIT_NOT_IN_DATABASE: {
    meaning: 'A database holds no audit log, or several of them, and none was named.',
    remedy:
      'Name the database that the key broker writes to; of several logs, name one by its key with --log-key.',
  },
  RELEASE_MEMORY_DAMAGED: {
    meaning: 'What is remembered of the releases that were let in cannot be read.',
    remedy:
      'Bring the file back from a copy. To remove it is to forget: an older release would pass for new.',
  },
  RECEIPT_INVALID: {
    meaning: 'A text is not a receipt, or holds the proof of something else.',
    remedy: 'Scan or copy it again, whole; a receipt begins with c2sp.org/tlog-proof@v1.',
  },
  RECEIPT_TOO_LARGE: {
    meaning: 'A receipt does not fit into a QR code.',
    remedy: 'Use shorter names and fewer witnesses, and a key of Ed25519 or P-256; or carry it as a file.',
  },
  RECEIPT_OTHER_CONTENT: {
    meaning: 'A receipt is for another content than the one that was sent.',
    remedy: 'Compare the digests: the far side has installed something else, or this is an older receipt.',
  },
  RECEIPT_CHALLENGE: {
    meaning: 'A receipt does not repeat the challenge that was sent.',
    remedy: 'Ask the far side for a new one, made with `sealift receipt make --challenge`.',
  },
  RECEIPT_UNSIGNED: {
    meaning: 'A receipt is not signed by any of the keys that were named.',
    remedy: 'Ask the far side for one that is signed with its key, or name the key that it uses.',
  },
  NOT_HELD: {
    meaning: 'An index, bundle or archive was offered as what holds a content that it does not name.',
    remedy: 'This is a mistake in Sealift, or an attack on it: report it.',
  },
  QUESTION_INVALID: {
    meaning:
      'A gate was asked about nothing, or about a reference whose digest is another one than the content has.',
    remedy: 'Name at least one content, and each by the digest that its reference has.',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
