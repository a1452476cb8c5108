import { compilePolicy, type Policy, type PolicyFile } from '#policy/index.ts'
import { queryName, queryPath, referenceMember } from './asked-values.ts'

/**
 * What Trustee gives its policies as a function of the host is here a rule of their own package: a policy that calls
 * `query_reference_value` runs as it stands. Null where there is no value, as there.
 */
const prelude = `package policy

import rego.v1

${queryName}(id) := object.get(input["${referenceMember}"], id, null)
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
    { path: queryPath, text: prelude },
    { path: 'sealift/appraisal.rego', text: question },
  ]
  compilePolicy(whole, { rule: 'data.policy.trust_claims' })
  return compilePolicy(whole, { rule: 'data.sealift.appraisal.decision' })
}
