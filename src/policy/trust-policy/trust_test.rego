package sealift.trust_test

import data.sealift.trust

digest := "sha256:aa"

clause := {
	"of": "signatures",
	"atLeast": 1,
	"maxAge": null,
	"maxAgeNs": null,
	"keys": {"release": true},
	"identities": [],
	"shown": "release",
	"types": {"sign": true},
	"code": "SIGNATURE",
	"what": "signature",
	"verb": "sign",
}

policy := {
	"name": "test",
	"overrides": {"keys": {"duty": true}, "identities": []},
	"releases": {"rollback": "refuse", "freshness": "ignored"},
	"customReadsClock": false,
	"rules": [
		{"name": "one", "content": [{"prefix": "r.example/"}, {"exact": "other/app"}, {"regex": "^(?:[^/]+/star)$"}], "clauses": [clause]},
		{"name": null, "content": [{"prefix": ""}], "clauses": [], "refuses": true, "asksMore": true},
	],
}

signature := {"digest": "sha256:bb", "predicateType": "sign", "signer": {"kind": "key", "keyId": "01", "name": "release"}}

asked(reference, signatures) := {
	"action": "install",
	"environment": "production",
	"principal": {"kind": "user", "name": "jo", "roles": []},
	"subjects": [{
		"subject": {"digest": digest, "mediaType": "a/b", "reference": reference},
		"signatures": signatures,
		"attestations": [],
		"refused": [],
	}],
}

test_content if {
	every reference, covered in references {
		decision := trust.decision with input as asked(reference, [signature]) with data.trust_policy as policy
		decision.allow == covered
	}
}

references := {
	"r.example/app": true,
	"r.example/deep/app:1.0": true,
	"r.example.evil/app": false,
	"other/app": true,
	"other/app:1.0": true,
	"other/app@sha256:aa": true,
	"other/app:1.0@sha256:aa": true,
	"other/apple": false,
	"localhost:5000/star:2": true,
	"a/b/star": false,
}

test_signer_has_to_be_of_the_kind if {
	forged := {"digest": "sha256:bb", "predicateType": "sign", "signer": {"kind": "certificate", "name": "release"}}
	not trust.decision.allow with input as asked("r.example/app", [forged]) with data.trust_policy as policy
}

test_other_type_is_no_signature if {
	other := object.union(signature, {"predicateType": "https://slsa.dev/provenance/v1"})
	not trust.decision.allow with input as asked("r.example/app", [other]) with data.trust_policy as policy
}

test_end_of_the_signature_is_the_end_of_the_answer if {
	ending := object.union(signature, {"validUntil": "2026-06-01T00:00:00Z"})
	decision := trust.decision with input as asked("r.example/app", [ending])
		with data.trust_policy as policy
		with time.now_ns as time.parse_rfc3339_ns("2026-05-01T00:00:00Z")
	decision.allow
	decision.valid_until == "2026-06-01T00:00:00Z"
}

test_after_its_end_it_does_not_count if {
	ended := object.union(signature, {"validUntil": "2026-06-01T00:00:00Z"})
	decision := trust.decision with input as asked("r.example/app", [ended])
		with data.trust_policy as policy
		with time.now_ns as time.parse_rfc3339_ns("2026-06-01T00:00:00Z")
	not decision.allow
}

override(name) := {
	"person": "jo",
	"reason": "fire",
	"notAfter": "2026-06-01T00:00:00Z",
	"subjects": [digest],
	"signer": {"kind": "key", "keyId": "02", "name": name},
}

test_override_by_whom_it_is_given if overridden("duty").allow

test_override_by_another if not overridden("release").allow

overridden(name) := decision if {
	given := object.union(asked("r.example/app", []), {"overrides": [override(name)]})
	decision := trust.decision with input as given
		with data.trust_policy as policy
		with time.now_ns as time.parse_rfc3339_ns("2026-05-01T00:00:00Z")
}

test_objection_of_the_operator if {
	decision := trust.decision with input as asked("r.example/app", [signature])
		with data.trust_policy as policy
		with data.sealift.custom as {"deny": [{"code": "NO", "message": "no"}]}
	not decision.allow
	decision.reasons == [{"code": "NO", "message": "no"}]
}

test_objection_that_is_no_reason_is_not_lost if {
	decision := trust.decision with input as asked("r.example/app", [signature])
		with data.trust_policy as policy
		with data.sealift.custom as {"deny": ["because"]}
	not decision.allow
}
