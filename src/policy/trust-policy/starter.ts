import type { PolicyFile } from '../types.ts'

/** A trust policy to begin with, and tests beside it that pass: for this content, and this key where there is one. */
export function starterPolicy(
  content: string,
  pem?: string,
): readonly [policy: PolicyFile, tests: PolicyFile] {
  return [
    { path: 'policy.yaml', text: policyText(content, pem) },
    { path: 'policy_test.rego', text: testText(content, pem !== undefined) },
  ]
}

const quoted = (text: string) => JSON.stringify(text)
const indented = (text: string, by: string) => text.trim().replaceAll(/^/gm, by)

function policyText(content: string, pem: string | undefined): string {
  const keys = pem === undefined ? '' : `keys:\n  release:\n    pem: |\n${indented(pem, '      ')}\n`
  const rule = `  - content: ${quoted(content)}
    environments: [trial, production]
    signatures:
      - from: [{ key: release }]
        # atLeast: 2              # of different signers
        # maxAge: 90d             # by proved time: a log entry or a time stamp
    # attestations:
    #   - { type: slsaprovenance1, from: [{ key: release }] }
    #   - { type: vuln, from: [{ key: release }], maxAge: 7d, maxSeverity: medium }
`
  return `# Who is trusted with what. Try it: sealift policy test . (docs/trust-policy.md has all that can be said here)
apiVersion: sealift.dev/v1
kind: TrustPolicy
name: starter

# Public keys by the names under which rules and outputs speak of them: \`file\` or \`pem\`, and where wanted
# validFrom, validUntil, revokedAt (2026-05-01T00:00:00Z).
${keys || '# keys:\n#   release: { file: release.pub }\n'}
# For identities (keyless): Sigstore trusted roots, and whose identities each may vouch for.
# trustedRoots:
#   sigstore: { file: trusted_root.json, issuers: [https://token.actions.githubusercontent.com] }

# Whose signed overrides let in what the rules do not (break glass); nobody's where it is not said.
# overrides: { from: [{ identity: duty@example.com, issuer: https://accounts.example.com }] }

# What release records are held against: an older release after a newer one, one whose successor is overdue.
# releases: { rollback: refuse, freshness: required }

# The first rule that covers content, action and environment decides; what none covers is refused.
rules:
  - content: ${quoted(content)}
    environments: [build]
    unsigned: true                # asks for nothing, and says so
${pem === undefined ? rule.replaceAll(/^ {2}(?=.)/gm, '  # ') : rule}`
}

function testText(content: string, hasKey: boolean): string {
  const reference = `${content.replaceAll(/\*+/g, 'example')}${content.startsWith('**') ? '/app' : ''}:1.0.0`
  const signed = `
# A good signature by the key release is enough.
test_signed if {
	decision.allow with input as asked("production", [signature])
}

signature := {
	"digest": "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
	"signer": {"kind": "key", "keyId": "cc", "name": "release"},
	"predicateType": "https://sigstore.dev/cosign/sign/v1",
}
`
  return `package policy_test

import data.sealift.trust.decision

# In the build environment nothing is asked for.
test_build if {
	decision.allow with input as asked("build", [])
}

# In production what nobody signed is refused.
test_unsigned if {
	not decision.allow with input as asked("production", [])
}
${hasKey ? signed : ''}
asked(environment, signatures) := {
	"action": "install",
	"environment": environment,
	"principal": {"kind": "user", "name": "somebody", "groups": [], "roles": []},
	"subjects": [{
		"subject": {
			"digest": "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
			"mediaType": "application/vnd.oci.image.manifest.v1+json",
			"reference": ${quoted(reference)},
		},
		"signatures": signatures,
		"attestations": [],
		"refused": [],
	}],
	"context": null,
}
`
}
