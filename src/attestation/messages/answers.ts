import { type AttestationLimits, attestationLimits } from '#base/index.ts'
import { parseObject, textMember } from '../members.ts'

const code = 'RCAR_MESSAGE_INVALID'

/** The answer to evidence that was found good. */
export const formatTokenResponse = (token: string): Uint8Array => Buffer.from(JSON.stringify({ token }))

/** @throws RCAR_MESSAGE_INVALID */
export function parseTokenResponse(bytes: Uint8Array, limits: AttestationLimits = attestationLimits): string {
  const what = 'the answer to the attestation'
  const body = parseObject(bytes, what, code, limits.answerBytes, limits.depth)
  return textMember(body, 'token', what, code, limits.tokenLength)
}

const typePrefix = 'https://github.com/confidential-containers/kbs/errors/'

/**
 * What a guest is told, by Trustee's names. 401 stands only where attesting again can help: its clients do so up to
 * three times. Trustee itself answers 401 to almost everything (its issue 1419).
 */
const statuses = {
  TokenNotFound: 401,
  TokenVerifierError: 401,
  AttestationError: 401,
  AdminAuthAccess: 401,
  PolicyDeny: 403,
  InvalidRequestPath: 404,
  PluginNotFound: 404,
  SerdeError: 400,
  ParsePolicyError: 400,
  RvpsError: 400,
  JweError: 500,
  PluginInternalError: 500,
  PolicyEngineError: 500,
} as const

export type ErrorVariant = keyof typeof statuses
export const errorVariants = Object.keys(statuses) as readonly ErrorVariant[]

/** The HTTP status that goes with an error. */
export const statusOf = (variant: ErrorVariant): 400 | 401 | 403 | 404 | 500 => statuses[variant]

/** A refusal as a guest reads it. `detail` never says more than the caller may know. */
export interface ErrorBody {
  /** Trustee's name; whatever else a broker wrote stands as it is. */
  readonly type: string
  readonly detail: string
}

export const formatErrorBody = (variant: ErrorVariant, detail: string): Uint8Array =>
  Buffer.from(JSON.stringify({ type: typePrefix + variant, detail }))

/** @throws RCAR_MESSAGE_INVALID */
export function parseErrorBody(bytes: Uint8Array, limits: AttestationLimits = attestationLimits): ErrorBody {
  const what = 'the refusal'
  const body = parseObject(bytes, what, code, limits.bodyBytes, limits.depth)
  const type = textMember(body, 'type', what, code, 1024)
  return {
    type: type.startsWith(typePrefix) ? type.slice(typePrefix.length) : type,
    detail: textMember(body, 'detail', what, code, 64 * 1024),
  }
}
