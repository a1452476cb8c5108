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

default allow := false

allow if {
	count(verdicts) > 0
	every v in verdicts {
		holds(v)
	}
}

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
	custom_ends,
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

# --- Break glass: overrides were verified by whoever gathered the evidence

overrides := [object.union(o, {"end": end}) |
	policy.breakGlass
	some o in input.overrides
	end := time.parse_rfc3339_ns(o.notAfter)
	end > now
]

covering(digest) := [o |
	some o in overrides
	digest in o.subjects
]

lifts := [{
	"code": "OVERRIDDEN",
	"message": sprintf("%s overrides the policy for %s until %s: %s", [o.person, v.reference, o.notAfter, o.reason]),
} |
	count(objections) > 0
	some v in verdicts
	some o in covering(v.digest)
]

# --- Rules of the operator's own: data.sealift.custom.deny

denials contains d if {
	some d in data.sealift.custom.deny
	is_string(d.code)
	is_string(d.message)
}

# What is not a reason must not be lost.
denials contains {"code": "POLICY_DENIED", "message": sprintf("%v", [d])} if {
	some d in data.sealift.custom.deny
	not is_string(d.code)
}

denials contains {"code": "POLICY_DENIED", "message": sprintf("%v", [d])} if {
	some d in data.sealift.custom.deny
	not is_string(d.message)
}

# --- One subject

verdicts := [verdict(s) | some s in input.subjects]

verdict(s) := {
	"digest": s.subject.digest,
	"reference": reference,
	"rule": rule.name,
	"problems": array.concat([p | some c in clauses; some p in c.problems], role_problems(rule)),
	"counted": [p | some c in clauses; some p in c.counted],
	"until": min(array.concat([never], [c.until | some c in clauses])),
} if {
	rule := policy.rules[rule_for(repository(s.subject.reference))]
	reference := name_of(s.subject)
	clauses := array.concat(
		[signature_clause(s, reference, c) | some c in rule.signatures],
		[attestation_clause(s, reference, c) | some c in rule.attestations],
	)
} else := {
	"digest": s.subject.digest,
	"reference": name_of(s.subject),
	"rule": null,
	"problems": [{
		"code": "CONTENT_NOT_COVERED",
		"message": sprintf(
			"no rule of the policy %s covers %s for %s in %s",
			[policy.name, name_of(s.subject), input.action, input.environment],
		),
		"remedy": "add a rule whose content, actions and environments cover it",
	}],
	"counted": [],
	"until": never,
}

name_of(subject) := sprintf("%s@%s", [repository(subject.reference), subject.digest])

# HOST/REPOSITORY, without tag and digest.
repository(reference) := substring(plain, 0, count(plain) - (count(last) - indexof(last, ":"))) if {
	plain := split(reference, "@")[0]
	parts := split(plain, "/")
	last := parts[count(parts) - 1]
	contains(last, ":")
} else := split(reference, "@")[0]

# The first rule that covers content, action and environment.
rule_for(name) := min([number |
	some number in applicable
	some pattern in policy.rules[number].content
	matches(pattern, name)
])

applicable := [number |
	some number, rule in policy.rules
	covers(rule, "actions", input.action)
	covers(rule, "environments", input.environment)
]

covers(rule, what, _) if not rule[what]

covers(rule, what, value) if value in rule[what]

# compile-rules.ts writes the cheapest form of each pattern.
matches(pattern, name) if pattern.exact == name

matches(pattern, name) if startswith(name, pattern.prefix)

matches(pattern, name) if regex.match(pattern.regex, name)

# --- What a rule asks for

signature_clause(s, reference, c) := outcome if {
	found := counted(s.signatures, c)
	outcome := {
		"counted": shown(found),
		"until": clause_end(found, c),
		"problems": shortage(s.signatures, found, s, reference, c, {
			"code": "SIGNATURE",
			"what": "signature",
			"remedy": sprintf("let %s sign %s (sealift sign)", [c.shown, reference]),
		}),
	}
}

attestation_clause(s, reference, c) := outcome if {
	candidates := [p |
		some p in s.attestations
		p.predicateType in c.types
	]
	found := counted(candidates, c)
	outcome := {
		"counted": shown(found),
		"until": clause_end(found, c),
		"problems": array.concat(
			shortage(candidates, found, s, reference, c, {
				"code": "ATTESTATION",
				"what": sprintf("%s attestation", [c.type]),
				"remedy": sprintf("let %s attest %s with a %s statement (sealift attest)", [c.shown, reference, c.type]),
			}),
			findings(found, reference, c),
		),
	}
}

# Good proofs by those who are asked for, young enough.
counted(proofs, c) := [{"digest": p.digest, "type": p.predicateType, "by": signer_id(p.signer), "end": end, "proof": p} |
	some p in proofs
	asked_for(p.signer, c)
	end := proof_end(p, c.maxAgeNs)
	end > now
]

shown(found) := [{"digest": p.digest, "type": p.type, "by": p.by} | some p in found]

# For each signer the proof that lasts longest; of those, as many as are needed, the longest-lived first.
clause_end(found, c) := lasting[count(lasting) - c.atLeast] if {
	lasting := sort([end |
		some by in {p.by | some p in found}
		end := max([p.end | some p in found; p.by == by])
	])
	count(lasting) >= c.atLeast
} else := never

asked_for(signer, c) if {
	signer.kind == "key"
	signer.name in c.keys
}

asked_for(signer, c) if {
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
signer_id(signer) := sprintf("key %s", [signer.keyId]) if {
	signer.kind == "key"
} else := sprintf("%s (%s)", [signer.identity, signer.issuer])

# When a proof stops to count: its own end, or its age. Undefined where its age matters and is not proved.
proof_end(p, max_age) := min([own_end(p), age_end(p, max_age)])

own_end(p) := time.parse_rfc3339_ns(p.validUntil) if {
	p.validUntil
} else := never

age_end(_, max_age) := never if {
	max_age == null
}

age_end(p, max_age) := time.parse_rfc3339_ns(p.signedAt) + max_age if {
	max_age != null
	p.signedAt
}

# --- What is missing, and what would make it yes

shortage(candidates, found, s, reference, c, words) := [] if {
	count({p.by | some p in found}) >= c.atLeast
} else := [{
	"code": sprintf("%s_%s", [words.code, shortage_kind(candidates, found, c)]),
	"message": concat("", [
		sprintf("%s good %s by %s on %s", [number_of(found, c), words.what, c.shown, reference]),
		shortage_detail(candidates, found, c),
		refused_detail(s.refused),
	]),
	"remedy": words.remedy,
}]

number_of(found, c) := "no" if {
	count(found) == 0
	c.atLeast == 1
} else := sprintf("%d of %d", [count({p.by | some p in found}), c.atLeast])

shortage_kind(_, found, _) := "TOO_FEW" if {
	count(found) > 0
}

shortage_kind(candidates, found, c) := "TOO_OLD" if {
	count(found) == 0
	count(outdated(candidates, c)) > 0
}

shortage_kind(candidates, found, c) := "BY_OTHERS" if {
	count(found) == 0
	count(outdated(candidates, c)) == 0
	count(candidates) > 0
}

shortage_kind(candidates, _, _) := "MISSING" if {
	count(candidates) == 0
}

outdated(candidates, c) := [p |
	some p in candidates
	asked_for(p.signer, c)
]

shortage_detail(candidates, found, c) := sprintf("; %d are older than %s, or their age is not proved", [
	count(outdated(candidates, c)) - count(found),
	c.maxAge,
]) if {
	count(outdated(candidates, c)) > count(found)
} else := sprintf("; there are good ones by %s", [some_of({signer_id(p.signer) | some p in candidates})]) if {
	count(found) == 0
	count(candidates) > 0
} else := ""

refused_detail(refused) := "" if {
	count(refused) == 0
} else := sprintf("; %d refused: %s", [count(refused), some_of({r.code | some r in refused})])

# At most three, so that a reason stays one that a person reads.
some_of(names) := concat(", ", array.slice(sort([n | some n in names]), 0, 3)) if {
	count(names) <= 3
} else := sprintf("%s and %d more", [concat(", ", array.slice(sort([n | some n in names]), 0, 3)), count(names) - 3])

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

findings(found, reference, c) := [{
	"code": "VULNERABILITIES_FOUND",
	"message": sprintf("%d findings above %s on %s: %s", [count(worst), c.maxSeverity, reference, some_of(worst)]),
	"remedy": "fix them and scan again, or let the policy bear them (maxSeverity)",
}] if {
	c.maxSeverity
	worst := {id |
		some p in found
		some [id, severity] in reported(p.proof.predicate)
		rank(severity) > rank(c.maxSeverity)
	}
	count(worst) > 0
} else := [{
	"code": "VULNERABILITY_REPORT_UNREADABLE",
	"message": sprintf("a vulnerability report on %s is in a form that is not known", [reference]),
	"remedy": "report with Trivy or Grype in JSON, or as in-toto vulnerability predicate",
}] if {
	c.maxSeverity
	some p in found
	not is_report(p.proof.predicate)
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
