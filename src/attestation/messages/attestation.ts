import { type AttestationLimits, attestationLimits, type Json, parseJson, SealiftError } from '#base/index.ts'
import { failure } from '../codes.ts'
import { isObject, type JsonObject, member, parseObject, textMember } from '../members.ts'
import type { Tee } from '../types.ts'
import { type Protocol, protocolOf } from './protocol.ts'
import { teeOf } from './tee.ts'

/** What the guest was started with, as it says. */
export interface InitData {
  readonly format: 'toml'
  readonly body: string
}

/** POST `attest`: the guest's key, and evidence that is bound to it and to the nonce. */
export interface AttestationRequest {
  /** The nonce that the guest says it was given; bodies before 0.4.0 do not repeat it. */
  readonly nonce?: string
  /** The key as it was sent: what was hashed. `parseTeeKey` reads it. */
  readonly teePubkey: JsonObject
  readonly primaryEvidence: Json
  /** Evidence of devices, as text: what was hashed. Empty where there is none. */
  readonly additionalEvidence: string
  /** The same, taken apart. */
  readonly devices: ReadonlyMap<Tee, Json>
  readonly initData?: InitData
}

const code = 'RCAR_MESSAGE_INVALID'
const what = 'the attestation'

/** @throws RCAR_MESSAGE_INVALID, TEE_UNKNOWN */
export function parseAttestationRequest(
  bytes: Uint8Array,
  version: string,
  limits: AttestationLimits = attestationLimits,
): AttestationRequest {
  const protocol = protocolOf(version)
  const body = parseObject(bytes, what, code, limits.bodyBytes, limits.depth)
  return protocol.attestation === 'flat' ? flat(body, protocol, limits) : composite(body, limits)
}

/** As a guest of that version sends it. */
export function formatAttestationRequest(
  request: Omit<AttestationRequest, 'devices'>,
  version: string,
): Uint8Array {
  const protocol = protocolOf(version)
  const { nonce, teePubkey, primaryEvidence, additionalEvidence, initData = null } = request
  const body =
    protocol.attestation === 'flat'
      ? {
          'tee-pubkey': teePubkey,
          'tee-evidence': protocol.evidenceAsText ? JSON.stringify(primaryEvidence) : primaryEvidence,
        }
      : {
          'init-data': initData,
          'runtime-data': { nonce, 'tee-pubkey': teePubkey },
          'tee-evidence': { primary_evidence: primaryEvidence, additional_evidence: additionalEvidence },
        }
  return Buffer.from(JSON.stringify(body))
}

function flat(body: JsonObject, protocol: Protocol, limits: AttestationLimits): AttestationRequest {
  const evidence = evidenceMember(body, 'tee-evidence')
  return {
    teePubkey: objectMember(body, 'tee-pubkey'),
    primaryEvidence: protocol.evidenceAsText ? evidenceFromText(evidence, limits) : evidence,
    additionalEvidence: '',
    devices: new Map(),
  }
}

function composite(body: JsonObject, limits: AttestationLimits): AttestationRequest {
  const runtime = objectMember(body, 'runtime-data')
  const evidence = objectMember(body, 'tee-evidence')
  const additionalEvidence = textMember(evidence, 'additional_evidence', what, code, limits.bodyBytes)
  const initData = initDataOf(member(body, 'init-data'), limits)
  return {
    nonce: textMember(runtime, 'nonce', what, code, limits.nonceLength),
    teePubkey: objectMember(runtime, 'tee-pubkey'),
    primaryEvidence: evidenceMember(evidence, 'primary_evidence'),
    additionalEvidence,
    devices: devicesOf(additionalEvidence, limits),
    ...(initData && { initData }),
  }
}

function evidenceMember(object: JsonObject, name: string): Json {
  const value = member(object, name)
  if (value === undefined) throw failure(code, `${what} has no "${name}"`)
  return value
}

function objectMember(object: JsonObject, name: string): JsonObject {
  const value = member(object, name)
  if (!isObject(value)) throw failure(code, `${what} has no object "${name}"`)
  return value
}

function evidenceFromText(value: Json, limits: AttestationLimits): Json {
  if (typeof value !== 'string') throw failure(code, `the evidence of ${what} is not JSON as text`)
  return within(value, limits)
}

function devicesOf(text: string, limits: AttestationLimits): ReadonlyMap<Tee, Json> {
  if (text === '') return new Map()
  const value = within(text, limits)
  if (!isObject(value)) throw failure(code, `"additional_evidence" of ${what} is not a JSON object`)
  const names = Object.keys(value)
  if (names.length > limits.devices) {
    throw failure(code, `${what} has ${names.length} kinds of devices, the limit is ${limits.devices}`)
  }
  const devices = new Map<Tee, Json>()
  for (const name of names) {
    const tee = teeOf(name)
    // Two spellings of one name are two readings of one document.
    if (devices.has(tee)) throw failure(code, `${what} names the device ${tee} twice`)
    devices.set(tee, value[name]!)
  }
  return devices
}

/** JSON within a JSON string: the same strictness once more. */
function within(text: string, { bodyBytes, depth }: AttestationLimits): Json {
  try {
    return parseJson(Buffer.from(text), { maxBytes: bodyBytes, maxDepth: depth })
  } catch (cause) {
    if (!(cause instanceof SealiftError)) throw cause
    throw failure(code, `the evidence of ${what}: ${cause.message}`, { cause })
  }
}

function initDataOf(value: Json | undefined, limits: AttestationLimits): InitData | undefined {
  if (value === undefined || value === null) return undefined
  if (!isObject(value)) throw failure(code, `"init-data" of ${what} is neither an object nor null`)
  const format = textMember(value, 'format', what, code, 16)
  if (format !== 'toml') throw failure(code, `the format of the init-data is not toml`)
  return { format, body: textMember(value, 'body', what, code, limits.initDataLength) }
}
