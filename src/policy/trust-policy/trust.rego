# What a trust policy in YAML means: the small form is data for these rules (data.trust_policy, as compile-rules.ts
# writes it), so that there is one engine and one meaning. docs/trust-policy.md describes input and outcome.
package sealift.trust

policy := data.trust_policy

# The moment of the decision.
now := time.now_ns()

# Later than anything that ends.
never := 9223372036854775807

decision := {
	"allow": allow,
	"reasons": array.concat(objections, lifts),
	"outputs": {
		"policy": policy.name,
		"subjects": [object.remove(v, ["until"]) | some v in verdicts],
	},
	"valid_until": valid_until,
}

allow if {
	count(verdicts) > 0
	not objected
} else if {
	count(verdicts) > 0
	every v in verdicts {
		holds(v)
	}
} else := false

objected if count(objections) > 0

# Without an objection, or with an override that covers it.
holds(v) if {
	count(v.problems) == 0
	count(denials) == 0
}

holds(v) if count(covering(v.digest)) > 0

objections := array.concat(
	array.concat([p | some v in verdicts; some p in v.problems], [d | some d in denials]),
	[{"code": "SUBJECT_MISSING", "message": "there is no content to decide on"} | count(verdicts) == 0],
)

# --- Until when the answer holds

valid_until := null if {
	soonest == never
} else := time.format(soonest)

soonest := min(array.concat(
	array.concat(custom_ends, promised_ends),
	[v.until | some v in verdicts],
)) if {
	not objected
} else := min(array.concat(
	array.concat(custom_ends, promised_ends),
	[e |
		some v in verdicts
		e := holding_end(v)
	],
)) if {
	allow
} else := min(array.concat(custom_ends, possible_ends))

holding_end(v) := v.until if {
	count(v.problems) == 0
	count(denials) == 0
} else := max([o.end | some o in covering(v.digest)])

# A no may become another answer once something ends that was looked at.
possible_ends := array.concat(
	[e |
		some s in input.subjects
		some p in array.concat(s.signatures, s.attestations)
		e := own_end(p)
		e > now
	],
	[o.end | some o in overrides],
)

# A rule of the operator's own that looks at the clock may answer otherwise in the next moment.
custom_ends := [now] if {
	policy.customReadsClock
} else := [never]

# --- Break glass: signed overrides, by those whose overrides count here

overrides := [object.union(o, {"end": end}) |
	some o in input.overrides
	asked_for(o.signer, policy.overrides)
	covers(o, "actions", input.action)
	covers(o, "environments", input.environment)
	end := time.parse_rfc3339_ns(o.notAfter)
	end > now
]

covering(digest) := [o |
	some o in overrides
	digest in o.subjects
]

lifts := [{
	"code": "OVERRIDDEN",
	"message": sprintf("%s overrides the policy for %s until %s: %s", [o.person, v.digest, o.notAfter, o.reason]),
} |
	count(objections) > 0
	some v in verdicts
	some o in covering(v.digest)
]

# --- Rules of the operator's own: data.sealift.custom.deny

denials contains d if {
	some d in data.sealift.custom.deny
	is_reason(d)
}

# What is not a reason must not be lost.
denials contains {"code": "POLICY_DENIED", "message": sprintf("%v", [d])} if {
	some d in data.sealift.custom.deny
	not is_reason(d)
}

is_reason(d) if {
	is_string(d.code)
	is_string(d.message)
	count(object.remove(d, ["code", "message", "remedy"])) == 0
	is_string(object.get(d, "remedy", ""))
}

# --- Releases: what was numbered by its publisher must not go back, nor stand still where that matters

# Where content is brought in. What runs here already may be started again.
brings_in := {"load", "relocate", "install", "serve"}

denials contains {
	"code": "RELEASE_ROLLED_BACK",
	"message": sprintf("%s is release %d of %s, and %d of it was let in before", [
		digest,
		r.release.sequence,
		r.release.product,
		r.known.sequence,
	]),
	"remedy": "bring the newest release; where the older one is really meant, somebody has to override",
} if {
	policy.releases.rollback == "refuse"
	brings_in[input.action]
	some digest, releases in input.releases
	some r in releases
	is_behind(digest, r)
}

is_behind(_, r) if r.release.sequence < r.known.sequence

# One number for two contents: one of them was not meant to be seen.
is_behind(digest, r) if {
	r.release.sequence == r.known.sequence
	digest != r.known.digest
}

denials contains {
	"code": "RELEASE_STALE",
	"message": sprintf("%s is release %d of %s, which promised another one by %s", [
		digest,
		r.release.sequence,
		r.release.product,
		r.release.nextBy,
	]),
	"remedy": "ask for the newest release: somebody may be keeping it from you",
} if {
	some [digest, r, end] in promises
	end <= now
}

promises := [[digest, r, end] |
	policy.releases.freshness == "required"
	some digest, releases in input.releases
	some r in releases
	end := time.parse_rfc3339_ns(r.release.nextBy)
]

promised_ends := [end | some [_, _, end] in promises; end > now]

# --- Subjects
#
# What every decision goes through stands in comprehensions along input.subjects: a call of a function costs the
# engine as much as five other expressions.

verdicts := plain if {
	count(plain) == count(input.subjects)
} else := [v |
	some i, s in input.subjects
	v := verdict(s, rules_of[i], founds[i])
]

# For each subject the first rule that covers content, action and environment. The last rule covers whatever no other
# does, and refuses it.
rules_of := [policy.rules[min([p.rule | some p in prefixes; startswith(s.subject.reference, p.prefix)])] |
	some s in input.subjects
] if {
	count(others) == 0
} else := [policy.rules[min(hits)] |
	some s in input.subjects
	hits := array.concat(
		[p.rule | some p in prefixes; startswith(s.subject.reference, p.prefix)],
		[p.rule | some p in others; is_name(repository(s.subject.reference), p)],
	)
]

# For each subject, and each clause of its rule, the good proofs by those who are asked for, young enough.
founds := [lists |
	some i, s in input.subjects
	lists := [found |
		some c in rules_of[i].clauses
		asked := array.concat(
			[p | some p in s[c.of]; c.keys[p.signer.name]; p.signer.kind == "key"; c.types[p.predicateType]],
			[p | c.identities != []; some p in s[c.of]; c.types[p.predicateType]; is_vouched(p.signer, c)],
		)
		found := array.concat(
			[{"proof": p, "end": never} | some p in asked; object.get(p, "validUntil", c.maxAgeNs) == null],
			[{"proof": p, "end": end} | some p in asked; object.get(p, "validUntil", c.maxAgeNs) != null; end := proof_end(p, c); end > now],
		)
	]
]

# The way of most: for every subject all is there that its rule asks for, and nothing is put into words that nobody
# will read.
plain := [v |
	some i, s in input.subjects
	rule := rules_of[i]
	not rule.asksMore
	found := founds[i]
	ends := [max([f.end | some f in found[j]]) | some j, c in rule.clauses; c.atLeast == 1; count(found[j]) > 0]
	count(ends) == count(rule.clauses)
	v := {
		"digest": s.subject.digest,
		"reference": s.subject.reference,
		"rule": rule.name,
		"problems": [],
		"counted": array.concat(
			[{"digest": f.proof.digest, "type": f.proof.predicateType, "by": concat(" ", ["key", f.proof.signer.keyId])} |
				some proofs in found
				some f in proofs
				f.proof.signer.kind == "key"
			],
			[shown(f.proof) | some proofs in found; some f in proofs; f.proof.signer.kind == "certificate"],
		),
		"until": min(array.concat([never], ends)),
	}
]

verdict(s, rule, found) := {
	"digest": s.subject.digest,
	"reference": s.subject.reference,
	"rule": rule.name,
	"problems": array.concat(
		[p | some j, c in rule.clauses; some p in clause_problems(s, found[j], c)],
		array.concat(role_problems(rule), uncovered(s, rule)),
	),
	"counted": [shown(f.proof) | some proofs in found; some f in proofs],
	"until": min(array.concat([never], [clause_end(found[j], c) | some j, c in rule.clauses])),
}

shown(p) := {"digest": p.digest, "type": p.predicateType, "by": signer_id(p.signer)}

uncovered(s, rule) := [{
	"code": "CONTENT_NOT_COVERED",
	"message": sprintf(
		"no rule of the policy %s covers %s for %s in %s",
		[policy.name, name_of(s.subject), input.action, input.environment],
	),
	"remedy": "add a rule whose content, actions and environments cover it",
}] if {
	rule.refuses
} else := []

name_of(subject) := sprintf("%s@%s", [repository(subject.reference), subject.digest])

# HOST/REPOSITORY, without tag and digest.
repository(reference) := substring(plain, 0, (count(plain) - count(last)) + indexof(last, ":")) if {
	plain := split(reference, "@")[0]
	parts := split(plain, "/")
	last := parts[count(parts) - 1]
	contains(last, ":")
} else := split(reference, "@")[0]

is_name(name, p) if name == p.exact

is_name(name, p) if regex.match(p.regex, name)

# Patterns of the rules that cover action and environment. A prefix ends in a slash, so that it can be held against a
# reference as it is.
patterns := [object.union(pattern, {"rule": number}) |
	some number, rule in policy.rules
	covers(rule, "actions", input.action)
	covers(rule, "environments", input.environment)
	some pattern in rule.content
]

prefixes := [p | some p in patterns; is_string(p.prefix)]

others := [p | some p in patterns; not p.prefix]

covers(rule, what, _) if not rule[what]

covers(rule, what, value) if value in rule[what]

# --- What a rule asks for

clause_problems(s, found, c) := array.concat(shortage(s, candidates, found, c), findings(s, found, c)) if {
	candidates := [p | some p in s[c.of]; c.types[p.predicateType]]
}

# For each signer the proof that lasts longest; of those, as many as are needed, the longest-lived first.
clause_end(found, c) := max([f.end | some f in found]) if {
	c.atLeast == 1
	count(found) > 0
} else := lasting[count(lasting) - c.atLeast] if {
	lasting := sort([end |
		some by in {signer_id(f.proof.signer) | some f in found}
		end := max([f.end | some f in found; signer_id(f.proof.signer) == by])
	])
	count(lasting) >= c.atLeast
} else := never

asked_for(signer, c) if {
	c.keys[signer.name]
	signer.kind == "key"
}

asked_for(signer, c) if is_vouched(signer, c)

is_vouched(signer, c) if {
	signer.kind == "certificate"
	some i in c.identities
	signer.issuer == i.issuer
	identity_is(signer.identity, i)
	root_is(signer.root, i)
}

identity_is(identity, i) if identity == i.identity

identity_is(identity, i) if regex.match(i.pattern, identity)

root_is(_, i) if not i.root

root_is(root, i) if root == i.root

# Two names of one key are one signer.
signer_id(signer) := concat(" ", ["key", signer.keyId]) if {
	signer.kind == "key"
} else := sprintf("%s (%s)", [signer.identity, signer.issuer])

# When a proof stops to count: its own end, or its age. Undefined where its age matters and is not proved.
proof_end(p, c) := never if {
	c.maxAgeNs == null
	not p.validUntil
} else := min([own_end(p), time.parse_rfc3339_ns(p.signedAt) + c.maxAgeNs]) if {
	c.maxAgeNs != null
} else := own_end(p) if {
	c.maxAgeNs == null
}

own_end(p) := time.parse_rfc3339_ns(p.validUntil) if {
	p.validUntil
} else := never

# --- What is missing, and what would make it yes

shortage(s, candidates, found, c) := [] if {
	count({signer_id(f.proof.signer) | some f in found}) >= c.atLeast
} else := [{
	"code": sprintf("%s_%s", [c.code, shortage_kind(candidates, found, asked)]),
	"message": concat("", [
		sprintf("%s good %s by %s on %s", [number_of(found, c), c.what, c.shown, name_of(s.subject)]),
		shortage_detail(candidates, found, asked, c),
		refused_detail(s.refused),
	]),
	"remedy": sprintf("let %s %s %s (sealift %s)", [c.shown, c.verb, name_of(s.subject), c.verb]),
}] if {
	asked := [p | some p in candidates; asked_for(p.signer, c)]
}

number_of(found, c) := "no" if {
	count(found) == 0
	c.atLeast == 1
} else := sprintf("%d of %d", [count({signer_id(f.proof.signer) | some f in found}), c.atLeast])

shortage_kind(candidates, found, asked) := "TOO_FEW" if {
	count(found) > 0
} else := "TOO_OLD" if {
	count(asked) > 0
} else := "BY_OTHERS" if {
	count(candidates) > 0
} else := "MISSING"

shortage_detail(candidates, found, asked, c) := sprintf("; %d older than %s, or of no proved age", [
	count(asked) - count(found),
	c.maxAge,
]) if {
	count(asked) > count(found)
} else := sprintf("; there are good ones by %s", [some_of({signer_id(p.signer) | some p in candidates})]) if {
	count(found) == 0
	count(candidates) > 0
} else := ""

refused_detail(refused) := "" if {
	count(refused) == 0
} else := sprintf("; %d refused: %s", [count(refused), some_of({r.code | some r in refused})])

# At most three, so that a reason stays one that a person reads.
some_of(names) := concat(", ", sort(names)) if {
	count(names) <= 3
} else := sprintf("%s and %d more", [concat(", ", array.slice(sort(names), 0, 3)), count(names) - 3])

role_problems(rule) := [{
	"code": "ROLE_MISSING",
	"message": sprintf("%s has none of the roles that %s asks for: %s", [
		input.principal.name,
		input.action,
		concat(", ", rule.roles[input.action]),
	]),
	"remedy": "let somebody with such a role do it, or grant the role",
}] if {
	wanted := rule.roles[input.action]
	count([role | some role in input.principal.roles; role in wanted]) == 0
} else := []

# --- Vulnerability reports

findings(s, found, c) := [] if {
	not c.maxSeverity
} else := [{
	"code": "VULNERABILITIES_FOUND",
	"message": sprintf("%d above %s on %s: %s", [count(worst), c.maxSeverity, name_of(s.subject), some_of(worst)]),
	"remedy": "fix them and scan again, or let the policy bear them (maxSeverity)",
}] if {
	worst := {id |
		some f in found
		some [id, severity] in reported(f.proof.predicate)
		rank(severity) > rank(c.maxSeverity)
	}
	count(worst) > 0
} else := [{
	"code": "VULNERABILITY_REPORT_UNREADABLE",
	"message": sprintf("a vulnerability report on %s is in a form that is not known", [name_of(s.subject)]),
	"remedy": "report with Trivy or Grype in JSON, or as in-toto vulnerability predicate",
}] if {
	some f in found
	not is_report(f.proof.predicate)
} else := []

# Trivy, Grype, in-toto. What is not a list holds nothing.
reported(predicate) := array.concat(
	array.concat(
		[[object.get(v, "VulnerabilityID", "?"), object.get(v, "Severity", null)] |
			some r in list(predicate.scanner.result, "Results")
			some v in list(r, "Vulnerabilities")
		],
		[[object.get(m, ["vulnerability", "id"], "?"), object.get(m, ["vulnerability", "severity"], null)] |
			some m in list(predicate.scanner.result, "matches")
		],
	),
	[[object.get(f, "id", "?"), score] |
		some f in list(predicate.scanner, "result")
		some score in scores(f)
	],
)

list(from, name) := from[name] if {
	is_object(from)
	is_array(from[name])
} else := []

scores(finding) := [object.get(s, "score", null) | some s in finding.severity] if {
	count(list(finding, "severity")) > 0
} else := [null]

is_report(predicate) if is_array(predicate.scanner.result.Results)

is_report(predicate) if is_array(predicate.scanner.result.matches)

is_report(predicate) if is_array(predicate.scanner.result)

ranks := {"unknown": 0, "none": 0, "negligible": 0, "low": 1, "medium": 2, "high": 3, "critical": 4}

# By word, or by CVSS score (FIRST, CVSS 3.1, section 5). What is not known is the worst.
rank(severity) := ranks[lower(severity)] if {
	is_string(severity)
	ranks[lower(severity)] >= 0
} else := count([bound | some bound in [0.1, 4, 7, 9]; to_number(severity) >= bound]) if {
	is_string(severity)
	regex.match(`^[0-9]{1,2}([.][0-9])?$`, severity)
} else := 5
