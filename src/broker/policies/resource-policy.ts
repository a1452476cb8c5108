import { compilePolicy, type Policy, type PolicyFile } from '#policy/index.ts'

/**
 * Trustee's question (`data.policy.allow`, where `data` says what is asked for and `input` are the token's claims) as
 * a question about evidence alone, so that one compiled policy answers all of them and each can be asked again from
 * its record. `reasons` is ours: texts, or objects with
 * code and message, that a policy may say beside a no.
 */
const question = `package sealift.release

import rego.v1

default allowed := false

# What is absent denies: it would be looked for in the data of the policy itself.
allowed if {
	plugin := input.request.plugin
	path := input.request["resource-path"]
	query := input.request.query
	data.policy.allow == true with input as input.claims
		with data.plugin as plugin
		with data["resource-path"] as path
		with data.query as query
		with data.request as input.request
}

default reasons := []

reasons := [reason |
	some said in data.policy.reasons with input as input.claims
		with data.plugin as input.request.plugin
		with data["resource-path"] as input.request["resource-path"]
		with data.query as input.request.query
		with data.request as input.request
	reason := reason_of(said)
]

reason_of(said) := {"code": "RESOURCE_POLICY", "message": said} if is_string(said)

reason_of(said) := {"code": said.code, "message": said.message} if {
	is_string(said.code)
	is_string(said.message)
}

decision := {"allow": true} if allowed

# Who gets what they asked for is not told why: most questions end here, and half of the work is saved.
decision := {"allow": false, "reasons": reasons} if not allowed
`

/**
 * A resource policy: Rego that yields `data.policy.allow`. Policies of Trustee's compile unchanged. What a plugin tells
 * beside Trustee's three is `data.request` (`data.request.resource.facts`, `data.request.nebula`, ...).
 *
 * @throws the codes of `compilePolicy`; POLICY_RULE_MISSING where no file declares `allow` in package policy
 */
export function compileResourcePolicy(files: readonly PolicyFile[]): Policy {
  const whole = [...files, { path: 'sealift/release.rego', text: question }]
  // Its own rule is asked for first: a policy that has none would deny for ever without a word.
  compilePolicy(whole, { rule: 'data.policy.allow' })
  return compilePolicy(whole, { rule: 'data.sealift.release.decision' })
}
