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
} as const satisfies CodeTable

export const failure = failures(codes)
