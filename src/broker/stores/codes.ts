import { type CodeTable, failures } from '#base/index.ts'

export const codes = {
  SECRET_KEY_INVALID: {
    meaning: 'A key of a secret store is not a path of names, or is too long or too deep.',
    remedy:
      'Names have letters, digits and _.:@+=-, begin with a letter, a digit or _, and have / between them.',
  },
  SECRET_VALUE_TOO_LARGE: {
    meaning: 'A value is larger than a secret store takes.',
    remedy: 'Keep what is large encrypted somewhere else, and its key here.',
  },
  SECRET_STORE_FAILED: {
    meaning: 'The database of a secret store refused an operation. A change may have come through or not.',
    remedy: 'Check that it can be reached, and the rights of the role: it makes its table on first use.',
  },
  SECRET_STORE_BUSY: {
    meaning: 'Others held a secret store, or changed the same value, for too long. Nothing was changed.',
    remedy: 'Ask again; for many processes keep the secrets in PostgreSQL.',
  },
  SECRET_STORE_FOREIGN: {
    meaning:
      'A file, folder or database holds something else than a secret store of a version that is known.',
    remedy: 'Check the path or address; a newer sealift may have made it.',
  },
  SECRET_DAMAGED: {
    meaning: 'What a secret store keeps under a key was cut short or changed.',
    remedy: 'Restore it from a backup, or write the value again.',
  },
  SECRET_NOT_SEALED: {
    meaning: 'A value is not sealed, in a store where every value must be.',
    remedy: 'Something else wrote it: remove it, and write it again through the broker.',
  },
  SECRET_SEALED_BY_UNKNOWN_KEY: {
    meaning: 'A value is sealed by a master key that is not in the keyring.',
    remedy:
      'Give the keyring that has the key of this id; it may have been dropped before all was sealed anew.',
  },
  SECRET_SEAL_BROKEN: {
    meaning: 'A sealed value was changed, or was sealed for another key of the store.',
    remedy:
      'Somebody wrote to the store beside the broker: find out who, and restore the value from a backup.',
  },
  KEYRING_INVALID: {
    meaning: 'A file is not a keyring, or one of parameters that are not taken.',
    remedy: 'Check the path; restore the file from a backup if it was damaged.',
  },
  KEYRING_LOCKED: {
    meaning: 'A keyring does not open: the password or key file is another one, or the file was changed.',
    remedy: 'Give the password or key file that it was sealed with.',
  },
  KEYRING_KEY_NEEDED: {
    meaning: 'A master key cannot be dropped: it seals new values, or is not in the keyring.',
    remedy: 'Rotate first, and seal all values anew.',
  },
  KEYRING_BUSY: {
    meaning: 'Another process rotates the master key of a broker at the same time.',
    remedy: 'Wait until it has ended. The lock of a process that was killed is broken by itself.',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
