// The messages of the attestation handshake (request, challenge, attestation, response), in each version's own form.
export {
  type ErrorBody,
  type ErrorVariant,
  errorVariants,
  formatErrorBody,
  formatTokenResponse,
  parseErrorBody,
  parseTokenResponse,
  statusOf,
} from './answers.ts'
export {
  type AttestationRequest,
  formatAttestationRequest,
  type InitData,
  parseAttestationRequest,
} from './attestation.ts'
export {
  type AuthRequest,
  type Challenge,
  challengeFor,
  formatAuthRequest,
  formatChallenge,
  newNonce,
  parseAuthRequest,
  parseChallenge,
} from './auth.ts'
export {
  type Protocol,
  type ProtocolVersion,
  protocolOf,
  protocolVersions,
  type TeeKeyAlgorithm,
} from './protocol.ts'
export { teeOf, tees } from './tee.ts'
