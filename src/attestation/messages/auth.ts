import { randomBytes } from 'node:crypto'
import { type AttestationLimits, attestationLimits, type Json } from '#base/index.ts'
import { toBase64 } from '../base64.ts'
import { failure } from '../codes.ts'
import { isObject, member, parseObject, textMember } from '../members.ts'
import type { Tee } from '../types.ts'
import { type ProtocolVersion, protocolOf } from './protocol.ts'
import { teeOf } from './tee.ts'

/** POST `auth`: who asks, and in which version all that follows is. */
export interface AuthRequest {
  readonly version: ProtocolVersion
  readonly tee: Tee
  /** Text, or an object (`supported-hash-algorithms`) from 0.1.1 on. */
  readonly extraParams: Json
}

/** The answer: what evidence has to be made for. */
export interface Challenge {
  /** Base64 of 32 bytes; for IBM SE a whole request as JSON. */
  readonly nonce: string
  readonly extraParams: Json
}

const code = 'RCAR_MESSAGE_INVALID'
/** @throws RCAR_MESSAGE_INVALID, RCAR_VERSION_UNKNOWN, TEE_UNKNOWN */
export function parseAuthRequest(
  bytes: Uint8Array,
  limits: AttestationLimits = attestationLimits,
): AuthRequest {
  const what = 'the request for a challenge'
  const body = parseObject(bytes, what, code, limits.bodyBytes, limits.depth)
  const protocol = protocolOf(textMember(body, 'version', what, code, 32))
  return {
    version: protocol.version,
    tee: teeOf(member(body, 'tee')),
    extraParams: parametersOf(member(body, 'extra-params'), protocol.textParameters, what),
  }
}

/** As a guest of that version sends it. */
export function formatAuthRequest({ version, tee }: Pick<AuthRequest, 'version' | 'tee'>): Uint8Array {
  const { textParameters, hashAlgorithms } = protocolOf(version)
  const parameters = textParameters ? '' : { 'supported-hash-algorithms': hashAlgorithms }
  return encode({ version, tee, 'extra-params': parameters })
}

/** A nonce that was never there before. */
export const newNonce = (): string => toBase64(randomBytes(32))

/** A new challenge. IBM SE chooses its hash here; its nonce is a request that its verifier makes. */
export const challengeFor = (tee: Tee, nonce: string = newNonce()): Challenge => ({
  nonce,
  extraParams: tee === 'se' ? { 'selected-hash-algorithm': 'sha512' } : '',
})

export const formatChallenge = ({ nonce, extraParams }: Challenge): Uint8Array =>
  encode({ nonce, 'extra-params': extraParams })

/** @throws RCAR_MESSAGE_INVALID */
export function parseChallenge(bytes: Uint8Array, limits: AttestationLimits = attestationLimits): Challenge {
  const what = 'the challenge'
  const body = parseObject(bytes, what, code, limits.bodyBytes, limits.depth)
  return {
    nonce: textMember(body, 'nonce', what, code, limits.nonceLength),
    extraParams: parametersOf(member(body, 'extra-params'), false, what),
  }
}

function parametersOf(value: Json | undefined, isText: boolean, what: string): Json {
  if (typeof value === 'string' || (!isText && isObject(value))) return value
  throw failure(code, `"extra-params" of ${what} is not ${isText ? 'text' : 'text or an object'}`)
}

const encode = (value: object): Uint8Array => Buffer.from(JSON.stringify(value))
