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
} as const satisfies CodeTable

export const failure = failures(codes)
