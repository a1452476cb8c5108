import { type CodeTable, failures } from '#base/index.ts'

export const codes = {
  RCAR_MESSAGE_INVALID: {
    meaning: 'A message of the attestation protocol is malformed or over a limit.',
    remedy: 'Check that the client speaks one of the protocol versions that the message names.',
  },
  RCAR_VERSION_UNKNOWN: {
    meaning: 'A guest speaks a version of the attestation protocol that is not known here.',
    remedy: 'Use guest components that speak 0.1.0, 0.1.1, 0.2.0 or 0.4.0.',
  },
  RCAR_REFUSED: {
    meaning: 'A key broker refused a guest, or what it asked for.',
    remedy: 'The broker says no more to a guest; its log tells the reason.',
  },
  RCAR_NOT_FOUND: {
    meaning: 'A key broker does not have what a guest asked for.',
    remedy: 'Check the path: plugin, then for resources REPOSITORY/TYPE/TAG.',
  },
  RCAR_FAILED: {
    meaning: 'A key broker could not be reached, failed, or answered something that is no answer.',
    remedy: 'Check the address and the log of the broker.',
  },
  INIT_DATA_INVALID: {
    meaning: 'Init-data, with which a guest says it was started, is not TOML or not of its form.',
    remedy: 'Give version, algorithm (sha256, sha384 or sha512) and a table [data] of texts.',
  },
  TEE_UNKNOWN: {
    meaning: 'A kind of trusted execution environment is not known here, or is not switched on.',
    remedy: 'Switch it on in the configuration, where a verifier for it exists.',
  },
  TEE_KEY_INVALID: {
    meaning:
      'A public key of a TEE is malformed: not on its curve, too small, or with members that do not belong there.',
    remedy: 'Have the guest make a new key.',
  },
  TEE_KEY_REFUSED: {
    meaning: 'A public key of a TEE is for an algorithm that this protocol version may not use here.',
    remedy:
      'Use a newer guest; RSA1_5 is only for protocol versions 0.1.x, and only where it is switched on.',
  },
  RESPONSE_UNREADABLE: {
    meaning: 'An encrypted reply is malformed, was changed, or is for another key.',
    remedy: 'Attest again with a new key, and ask once more.',
  },
  EVIDENCE_INVALID: {
    meaning: "A TEE's evidence is malformed, or its signature is not good.",
    remedy: 'Check the guest; whoever sent this is not what it says it is.',
  },
  EVIDENCE_MISBOUND: {
    meaning: 'Evidence is good by itself, but was made for another nonce, key or init-data.',
    remedy: 'Start a new session: evidence cannot be used twice, nor for the key of somebody else.',
  },
  EVIDENCE_UNTRUSTED: {
    meaning: 'Evidence does not lead to a root that is trusted here.',
    remedy: 'Import the certificates of its vendor, if you trust it.',
  },
  EVIDENCE_EXPIRED: {
    meaning: 'A certificate or collateral that evidence rests on has ended, or was revoked.',
    remedy: 'Import current collateral, or update the firmware of the host.',
  },
  TOKEN_INVALID: {
    meaning: 'An attestation token is malformed, or its signature is not good.',
    remedy: 'Attest again.',
  },
  TOKEN_UNTRUSTED: {
    meaning: 'An attestation token was signed with a key that is not trusted here.',
    remedy: "Add the issuer's JWK set or certificate, if you trust it.",
  },
  TOKEN_EXPIRED: {
    meaning: 'An attestation token is not valid at this time.',
    remedy: 'Attest again; check the clock if it was just issued.',
  },
  TOKEN_INSUFFICIENT: {
    meaning: 'An attestation token is good, but does not say what a service requires.',
    remedy: 'Look at the status of each part of the guest in it (`sealift token verify`).',
  },
  TOKEN_KEY_INVALID: {
    meaning: 'A key or certificate that tokens are signed or checked with cannot be used for it.',
    remedy: 'Sign with ECDSA P-256; give certificates leaf first, the leaf over the same key.',
  },
  TOKEN_KEYS_UNAVAILABLE: {
    meaning: 'The keys that tokens are checked with cannot be fetched, or are no JWK set.',
    remedy: 'Check the address and whether the broker there runs; keys are asked for again by themselves.',
  },
  APPRAISAL_POLICY_FAILED: {
    meaning: 'An attestation policy came to no result, or to one that is no appraisal.',
    remedy:
      'The rule trust_claims of package policy has to yield whole numbers from -128 to 127 by the names of AR4SI.',
  },
  REFERENCE_VALUE_INVALID: {
    meaning: 'A message or record of reference values is malformed, or of a kind that is not read here.',
    remedy:
      'Send {"version": "0.1.0", "type": "sample", "payload": BASE64} with a JSON object in the payload, or a SWID or CoRIM manifest that holds now.',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
