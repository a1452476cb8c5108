/** What is taken in from guests and brokers, whoever they are: functions take it as a parameter with this as the default. */
export const attestationLimits = {
  /** Largest body of a request (Trustee's default, 2 MB), and of an answer that a client reads. */
  bodyBytes: 2 * 1024 * 1024,
  answerBytes: 16 * 1024 * 1024,
  /** Deepest nesting of a message; evidence lies within. */
  depth: 32,
  /** Longest nonce that is taken, in characters: IBM SE has a whole request in its place. */
  nonceLength: 16 * 1024,
  /** Largest init-data, in characters. */
  initDataLength: 1024 * 1024,
  /** Most devices beside the primary TEE. */
  devices: 64,
  /** Largest token, in characters, and most certificates in its chain. */
  tokenLength: 1024 * 1024,
  chain: 8,
  /** Most keys of a JWK set. */
  jwkSetKeys: 64,
  jwkSetBytes: 256 * 1024,
  /** Most reference values of one message, and longest name of one, in characters. */
  referenceValues: 10_000,
  referenceNameLength: 1024,
  /** Most extensions that an attestation policy may yield. */
  extensions: 64,
} as const

/** The same names with any numbers: what tests pass. */
export type AttestationLimits = { readonly [K in keyof typeof attestationLimits]: number }
