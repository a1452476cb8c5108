import { attestationLimits, type Json } from '#base/index.ts'
import { type Decision, decide, type Policy } from '#policy/index.ts'
import { failure } from '../codes.ts'
import { isObject, member } from '../members.ts'
import { type ClassedAppraisal, type TrustVector, trustClaims } from '../token/index.ts'
import type { TeeClaims, VerifiedAttestation } from '../verify-attestation.ts'
import { askedValues, referenceMember } from './asked-values.ts'
import { type ReferenceValues, valuesAt } from './reference-value.ts'

/** An attestation policy under its name, of which the class of the TEE is no part: `default` for `default_cpu`. */
export interface NamedPolicy {
  readonly id: string
  readonly policy: Policy
}

export interface AppraisalOptions {
  /** Leaves the devices' evidence out of the token, where it is long; the policy sees it all the same. */
  readonly isTerse?: boolean
  /** Told of each evaluation of a policy, for whoever keeps a record: whatever came of it, before it is made use of. */
  readonly onEvaluated?: (evaluated: AppraisalEvaluation) => void
}

/** What a policy was shown about one TEE, and what it said. */
export interface AppraisalEvaluation {
  /** With its class: `default_cpu`. */
  readonly policyId: string
  readonly policy: Policy
  /** The evidence, and the reference values as the member `referenceMember`. */
  readonly input: { readonly [name: string]: Json }
  readonly decision: Decision
}

/**
 * What the policy of its class makes of each TEE's evidence. The reference values that it asks for, and that hold at
 * this moment, are part of its input.
 *
 * @param policyFor the policy for a class (`cpu`, `gpu`), or undefined where there is none
 * @throws APPRAISAL_POLICY_FAILED
 */
export function appraise(
  { tees, runtimeData, initDataClaims = null }: VerifiedAttestation,
  policyFor: (teeClass: string) => NamedPolicy | undefined,
  references: ReferenceValues,
  at: Date,
  { isTerse = false, onEvaluated }: AppraisalOptions = {},
): ClassedAppraisal[] {
  return tees.map((tee) => {
    const named = policyFor(tee.class)
    if (!named) throw failed(`there is no policy for TEEs of the class ${tee.class}`)
    const { values, validUntil: referencesEnd } = valuesAt(references, at, askedValues(named.policy))
    const evidence = annotatedEvidence(tee, runtimeData, initDataClaims)
    const input = { ...evidence, [referenceMember]: values }
    const decision = decide(named.policy, input, at)
    onEvaluated?.({ policyId: `${named.id}_${tee.class}`, policy: named.policy, input, decision })
    const { vector, extensions } = read(decision)
    const ends = [tee.validUntil, referencesEnd].filter((end) => end !== undefined)
    return {
      class: tee.class,
      vector,
      extensions,
      policyId: named.id,
      annotatedEvidence: isTerse ? withoutDevices(evidence) : evidence,
      ...(ends.length > 0 && { validUntil: new Date(Math.min(...ends.map(Number))) }),
    }
  })
}

type Evidence = { readonly [name: string]: Json }

/**
 * The claims under the TEE's name, and beside them what they are bound to: init-data and runtime data are told only
 * where the verifier tells of the digest in the evidence (Trustee's `transform_claims`).
 */
function annotatedEvidence(
  { tee, claims }: TeeClaims,
  runtimeData: VerifiedAttestation['runtimeData'],
  initDataClaims: Json,
): Evidence {
  const { init_data, report_data, ...own } = claims
  return {
    ...(init_data !== undefined && { init_data, init_data_claims: initDataClaims }),
    ...(report_data !== undefined && { report_data, runtime_data_claims: { ...runtimeData } }),
    [tee]: own,
  }
}

function withoutDevices(evidence: Evidence): Evidence {
  const { runtime_data_claims: runtime } = evidence
  if (!isObject(runtime)) return evidence
  const { 'additional-evidence': _, ...rest } = runtime
  return { ...evidence, runtime_data_claims: rest }
}

function read({ allowed, reasons, outputs }: Decision) {
  if (!allowed || !isObject(outputs)) {
    throw failed(
      `${reasons[0]?.code ?? 'POLICY_RESULT_INVALID'}: ${reasons[0]?.message ?? 'it says nothing'}`,
    )
  }
  return {
    vector: vectorOf(member(outputs, 'trust_claims')),
    extensions: extensionsOf(member(outputs, 'extensions')),
  }
}

function vectorOf(said: Json | undefined): TrustVector {
  if (!isObject(said)) throw failed('trust_claims is not an object')
  const names = Object.keys(said)
  if (names.length === 0) throw failed('trust_claims says nothing')
  const vector = Object.fromEntries(trustClaims.map((claim) => [claim, 0]))
  for (const name of names) {
    const value = said[name]
    if (!Object.hasOwn(vector, name)) throw failed('trust_claims has a name that is not one of AR4SI')
    if (typeof value !== 'number' || !Number.isInteger(value) || value < -128 || value > 127) {
      throw failed(`trust_claims says something else of ${name} than a whole number from -128 to 127`)
    }
    vector[name] = value
  }
  return vector as TrustVector
}

/** What a submod says already. */
const reserved: readonly string[] = [
  'ear.status',
  'ear.trustworthiness-vector',
  'ear.appraisal-policy-id',
  'ear.veraison.annotated-evidence',
]

function extensionsOf(said: Json | undefined): Evidence {
  if (!Array.isArray(said) || said.length > attestationLimits.extensions) {
    throw failed(`extensions is not a list of at most ${attestationLimits.extensions}`)
  }
  const extensions = new Map<string, Json>()
  for (const extension of said) {
    if (!isObject(extension)) throw failed('an extension is not an object')
    const { name, key, value } = extension
    if (typeof name !== 'string' || !Number.isInteger(key) || value === undefined) {
      throw failed('an extension does not have a name, a number "key" and a value')
    }
    if (reserved.includes(name) || extensions.has(name) || name === '__proto__') {
      throw failed('an extension has a name that is taken')
    }
    extensions.set(name, value)
  }
  return Object.fromEntries(extensions)
}

const failed = (why: string) =>
  failure('APPRAISAL_POLICY_FAILED', `the attestation policy came to no appraisal: ${why}`)
