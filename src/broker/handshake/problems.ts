import type { Problem, Problems } from '../types.ts'

const attestation = (status: Problem['status'], detail: string): Problem => ({
  status,
  variant: 'AttestationError',
  detail,
})

/**
 * What guests are told of a handshake that fails, or of a token that is not taken. 401 stands where attesting again
 * can help. Which check the evidence failed is for the log alone: whoever forges it need not be taught.
 */
export const problems: Problems = {
  BROKER_SESSION_UNKNOWN: { status: 401, variant: 'TokenNotFound', detail: 'no session: attest first' },
  BROKER_PROTOCOL_OFF: attestation(400, 'the protocol version is not supported'),
  RCAR_VERSION_UNKNOWN: attestation(400, 'the protocol version is not supported'),
  BROKER_TEE_OFF: attestation(403, 'evidence of this TEE is not accepted here'),
  TEE_UNKNOWN: attestation(403, 'evidence of this TEE is not accepted here'),
  RCAR_MESSAGE_INVALID: { status: 400, variant: 'SerdeError', detail: 'the message cannot be read' },
  INIT_DATA_INVALID: attestation(400, 'the init-data cannot be read'),
  TEE_KEY_INVALID: attestation(400, 'the key cannot be used'),
  TEE_KEY_REFUSED: attestation(400, 'the algorithm of the key is not accepted here'),
  EVIDENCE_INVALID: attestation(401, 'the evidence was not accepted'),
  EVIDENCE_MISBOUND: attestation(401, 'the evidence was not accepted'),
  EVIDENCE_UNTRUSTED: attestation(401, 'the evidence was not accepted'),
  EVIDENCE_EXPIRED: attestation(401, 'the evidence was not accepted'),
  APPRAISAL_POLICY_FAILED: {
    status: 500,
    variant: 'PolicyEngineError',
    detail: 'the evidence could not be appraised',
  },
  TOKEN_INVALID: { status: 401, variant: 'TokenVerifierError', detail: 'the token was not accepted' },
  TOKEN_UNTRUSTED: { status: 401, variant: 'TokenVerifierError', detail: 'the token was not accepted' },
  TOKEN_EXPIRED: { status: 401, variant: 'TokenVerifierError', detail: 'the token has ended: attest again' },
  BROKER_TOKEN_TOO_LONG: attestation(413, 'the evidence and the init-data are too long'),
  SESSION_LIMIT: { status: 503, variant: 'AttestationError', detail: 'too many sessions: ask again later' },
}
