import { type CodeTable, failures } from '#base/index.ts'

export const codes = {
  NEBULA_CERTIFICATE_INVALID: {
    meaning: 'Bytes are not a Nebula certificate of version 1 or 2, or not one in its only strict encoding.',
    remedy:
      'Check that the certificate arrived whole; `nebula-cert print` shows what another reader makes of it.',
  },
  NEBULA_CERTIFICATE_REFUSED: {
    meaning: 'A Nebula certificate is not good: its authority, signature, time, constraints or revocation.',
    remedy: 'Get a new certificate; the message says what is wrong with this one.',
  },
  NEBULA_TERMS_INVALID: {
    meaning:
      'A Nebula certificate was asked for that its authority may not issue, or that would mean nothing.',
    remedy: 'Check name, networks, groups and times against those of the authority.',
  },
  NEBULA_KEY_INVALID: {
    meaning: 'Bytes are not a Nebula key, or not one of the curve and kind that is wanted.',
    remedy: 'Give the key as nebula-cert writes it (`nebula-cert keygen`, `nebula-cert ca`).',
  },
  NEBULA_KEY_REFUSED: {
    meaning: 'An encrypted Nebula key does not open: the password is wrong, or it asks for too much work.',
    remedy: 'Give the password with which the key was written.',
  },
  NEBULA_POSSESSION_UNPROVED: {
    meaning: 'Whoever asks did not show that the node key is its own.',
    remedy:
      'Put the digest of the public key into the attested report data, or sign the request with the key.',
  },
  NEBULA_REQUEST_INVALID: {
    meaning: 'A request for a Nebula credential has a parameter that is unknown, missing or malformed.',
    remedy: 'Give name, and ip, duration, groups, subnets, version and public-key as documented.',
  },
  NEBULA_CALLER_REFUSED: {
    meaning: 'A Nebula credential was asked for by somebody without an attested identity.',
    remedy: 'Attest first.',
  },
  NEBULA_PATH_UNKNOWN: {
    meaning: 'There is no such call of the plugin nebula-ca, or of its administration.',
    remedy: 'Guests get `credential`, `ca` and `blocklist`; see docs/broker.md for admins.',
  },
  NEBULA_CONFIGURATION_INVALID: {
    meaning: 'The configuration of the Nebula authority cannot be used.',
    remedy: 'Check pool, networks and times under `nebula` in the configuration.',
  },
  NEBULA_STATE_INVALID: {
    meaning: 'The state of the broker does not hold Nebula authorities where they belong.',
    remedy: 'Something else wrote there: restore the state from a backup.',
  },
  NEBULA_ROTATION_PENDING: {
    meaning: 'A next Nebula authority cannot be made yet: one is announced already, or too many are trusted.',
    remedy: 'Wait until the one that is announced issues, or remove one that is not needed.',
  },
  NEBULA_AUTHORITY_NOT_FOUND: {
    meaning: 'There is no Nebula authority of this fingerprint.',
    remedy: 'Look at the list of authorities.',
  },
  NEBULA_BUSY: {
    meaning: 'Others changed the Nebula authorities at the same time, again and again.',
    remedy: 'Ask again.',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
