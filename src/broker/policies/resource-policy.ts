import { compilePolicy, type Policy, type PolicyFile } from '#policy/index.ts'

/** For what is asked beside `allow`: the policy is shown the same. */
const shown = `with input as input.claims
		with data.plugin as input.request.plugin
		with data["resource-path"] as input.request["resource-path"]
		with data.query as input.request.query
		with data.request as input.request`

/**
 * Trustee's question (`data.policy.allow`, where `data` says what is asked for and `input` are the token's claims) as
 * a question about evidence alone, so that one compiled policy answers all of them and each can be asked again from
 * its record.
 */
const allowed = `package sealift.release

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
`

/** What a policy may say beside yes and no: texts, or objects with code and message. */
const reasons = `
default reasons := []

reasons := [reason |
	some said in data.policy.reasons ${shown}
	reason := reason_of(said)
]

reason_of(said) := {"code": "RESOURCE_POLICY", "message": said} if is_string(said)

reason_of(said) := {"code": said.code, "message": said.message} if {
	is_string(said.code)
	is_string(said.message)
}
`

/** And until when its answer holds: an RFC 3339 time, or nanoseconds. */
const ends = `
ends := {"valid_until": end | end := data.policy.valid_until ${shown}}
`

/**
 * A resource policy: Rego that yields `data.policy.allow`. Policies of Trustee's compile unchanged. What a plugin tells
 * beside Trustee's three is `data.request` (`data.request.resource.facts`, `data.request.nebula`, ...). `reasons` and
 * `valid_until` of package policy are ours.
 *
 * @throws the codes of `compilePolicy`; POLICY_RULE_MISSING where no file declares `allow` in package policy
 */
export function compileResourcePolicy(files: readonly PolicyFile[]): Policy {
  const whole = [...files, { path: 'sealift/release.rego', text: questionFor(files) }]
  // Its own rule is asked for first: a policy that has none would deny for ever without a word.
  compilePolicy(whole, { rule: 'data.policy.allow' })
  return compilePolicy(whole, { rule: 'data.sealift.release.decision' })
}

/** Each rule that is asked for costs a fifth of a decision: what the text does not have is not asked for. */
function questionFor(files: readonly PolicyFile[]): string {
  const says = (rule: string) => files.some(({ text }) => text.includes(rule))
  const hasReasons = says('reasons')
  const hasEnd = says('valid_until')
  const said = `{"allow": allowed${hasReasons ? ', "reasons": reasons' : ''}}`
  const decision = hasEnd ? `object.union(${said}, ends)` : said
  return `${allowed}${hasReasons ? reasons : ''}${hasEnd ? ends : ''}\ndecision := ${decision}\n`
}
