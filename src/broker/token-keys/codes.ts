import { type CodeTable, failures } from '#base/index.ts'

export const codes = {
  TOKEN_KEYS_INVALID: {
    meaning: "The keys of tokens in the broker's state cannot be read.",
    remedy:
      'Bring back the state from a backup; without one, remove `token-keys/keys`: all guests attest again.',
  },
  TOKEN_KEYS_BUSY: {
    meaning: 'Others change the keys of tokens at the same time, or the next key waits for its turn already.',
    remedy: 'Wait until the next key signs, then rotate again.',
  },
  TOKEN_TRUST_INVALID: {
    meaning: 'The keys or certificates of another issuer of tokens, which broker.yaml names, cannot be used.',
    remedy: 'Get the JWK set (RFC 7517) or the PEM certificates of that attestation service anew.',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
