import { compilePolicy, type Policy, type PolicyFile } from '#policy/index.ts'

/**
 * Where the reference values stand in the policy's input. They are evidence like all else, so that an appraisal is a
 * function of what was recorded, and a change of one does not compile the policy anew.
 */
export const referenceMember = 'sealift.reference-values'

/**
 * What Trustee gives its policies as a function of the host is here a rule of their own package: a policy that calls
 * `query_reference_value` runs as it stands. Null where there is no value, as there.
 */
const prelude = `package policy

import rego.v1

query_reference_value(id) := object.get(input["${referenceMember}"], id, null)
`

const question = `package sealift.appraisal

import rego.v1

default extensions := []

extensions := data.policy.extensions

decision := {"allow": true, "outputs": {"trust_claims": data.policy.trust_claims, "extensions": extensions}}
`

/**
 * An attestation policy out of Rego that yields `data.policy.trust_claims` (and `extensions`, where it likes), with
 * `query_reference_value` in its reach. The policies that Trustee ships compile unchanged.
 *
 * @throws the codes of `compilePolicy`; POLICY_RULE_MISSING where no file declares trust_claims in package policy
 */
export function compileAttestationPolicy(files: readonly PolicyFile[]): Policy {
  const whole = [
    ...files,
    { path: 'sealift/reference-values.rego', text: prelude },
    { path: 'sealift/appraisal.rego', text: question },
  ]
  compilePolicy(whole, { rule: 'data.policy.trust_claims' })
  return compilePolicy(whole, { rule: 'data.sealift.appraisal.decision' })
}
