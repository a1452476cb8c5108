// Resource policies asked here, and by OPA with real documents in the places of `data` and `input`, as Trustee asks
// them: both say the same of each request. Trustee's own policies where the shared vectors are, and some of ours.
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import type { Json } from '#base/index.ts'
import { compileBrokerPolicy, starterPolicies } from '#broker/index.ts'
import { decide } from '#policy/index.ts'
import { needs } from './peers.ts'
import { Workbench } from './workbench.ts'

const bench = new Workbench()
after(() => bench[Symbol.asyncDispose]())

const vectors = join(import.meta.dirname, '../../../shared/vectors/confidential/trustee/rego')
const shipped = ['kbs', 'engine'].flatMap((folder) => {
  const path = join(vectors, folder)
  if (!existsSync(path)) return []
  return readdirSync(path).map((name) => [name, readFileSync(join(path, name), 'utf8')] as const)
})
const own = [
  ['starter', starterPolicies.get('resource')![0]!.text],
  [
    'query and path',
    `package policy
allow if {
	count(data["resource-path"]) == 3
	data["resource-path"][2] == data.query.name
	not data.query.never
}
`,
  ],
  [
    'rule named like data',
    'package policy\nplugin := data.plugin\ndefault allow := false\nallow if plugin == "pki"\n',
  ],
  ['not boolean', 'package policy\nallow := data.plugin\n'],
  [
    'walks all of its data',
    'package policy\nallow if { some p, v; walk(input, [p, v]); v == "affirming" }\n',
  ],
] as const

const submod = (status: string, tee: string, claims: object) => ({
  'ear.status': status,
  'ear.veraison.annotated-evidence': { [tee]: claims },
})
const claims: readonly Json[] = [
  {},
  { submods: {} },
  { submods: { cpu0: submod('affirming', 'sample', { productId: 'secret', svn: 2 }) } as never },
  { submods: { cpu0: submod('affirming', 'snp', {}), gpu0: submod('affirming', 'nvidia', {}) } as never },
  { submods: { cpu0: submod('affirming', 'snp', {}), gpu0: submod('warning', 'nvidia', {}) } as never },
  { submods: { cpu0: submod('contraindicated', 'sample', { svn: 9 }) } as never },
]
const requests = [
  { plugin: 'resource', 'resource-path': ['myrepo', 'secret', 'secret1'], query: {} },
  { plugin: 'resource', 'resource-path': ['myrepo', 'secret', 'secret2'], query: { name: 'secret2' } },
  { plugin: 'nebula-ca', 'resource-path': ['credential'], query: { name: 'a', ip: '10.0.0.1/8' } },
  { plugin: 'pki', 'resource-path': [], query: { never: '' } },
]

describe('resource policies and OPA', needs('opa'), () => {
  for (const [name, text] of [...shipped, ...own]) {
    test(`${name}: the same answers`, async () => {
      writeFileSync(bench.path('policy.rego'), text)
      const policy = compileBrokerPolicy('resource', [{ path: 'policy.rego', text }])
      // One run of OPA for all inputs under one request.
      for (const request of requests) {
        writeFileSync(bench.path('data.json'), JSON.stringify(request))
        writeFileSync(bench.path('all.json'), JSON.stringify(claims))
        const query =
          '[allowed | some one in input; allowed := {x | x := data.policy.allow with input as one}]'
        const args = [
          'eval',
          '--format',
          'json',
          '-d',
          'policy.rego',
          '-d',
          'data.json',
          '-i',
          'all.json',
          query,
        ]
        const { stdout } = await bench.run('opa', args)
        const said = JSON.parse(stdout).result[0].expressions[0].value as Json[][]
        const ours = claims.map((one) => decide(policy, { claims: one, request }, new Date()).allowed)
        assert.deepEqual(
          ours,
          said.map(([allowed]) => allowed === true),
          JSON.stringify(request),
        )
      }
    })
  }

  test("Trustee's own policies are among them", {
    skip: shipped.length > 0 ? false : 'NOT TESTED: the shared vectors are not here',
  }, () => {
    assert.ok(shipped.length >= 9)
  })
})
