import type { Evaluation } from '#gate/index.ts'
import { compilePolicy } from '#policy/index.ts'

/** The audit log that the replicas of the test append to. */
export const auditOrigin = 'audit.example/replicas'

const policy = compilePolicy([
  {
    path: 'policy.rego',
    text: `package sealift

import rego.v1

default decision := {"allow": false, "reasons": [{"code": "ODD", "message": "an odd number"}]}

decision := {"allow": true} if endswith(input.claims.guest, "2")
`,
  },
])

/** Every fiftieth has an input that does not fit into its entry. */
export const auditQuestion = (guest: string): Evaluation => ({
  purpose: 'release',
  principal: { kind: 'guest', name: guest },
  resource: 'resource/default/key/one',
  policyName: 'resource@1',
  policy,
  input: {
    claims: { guest, ...(/[05]0$/.test(guest) && { evidence: `${guest} `.repeat(20_000) }) },
    references: ['shared'],
  },
  shared: ['references'],
})
