import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { runHere } from './cli.suite.ts'
import { outputSchemas } from './output-schemas.suite.ts'

let cwd = ''
before(() => {
  cwd = mkdtempSync(join(tmpdir(), 'sealift-policy-'))
  const { publicKey } = generateKeyPairSync('ed25519')
  writeFileSync(join(cwd, 'release.pub'), publicKey.export({ type: 'spki', format: 'pem' }))
})
after(() => rmSync(cwd, { recursive: true }))

type Command = 'policy init' | 'policy check' | 'policy test' | 'policy explain'
const here = (...args: string[]) => runHere(['policy', ...args], { cwd })

/** With `-o json`, held against its schema. */
async function json(command: Command, exitCode: number, ...args: string[]) {
  const ran = await here(command.slice('policy '.length), ...args, '-o', 'json')
  assert.equal(ran.exitCode, exitCode, ran.stderr)
  const value: unknown = JSON.parse(ran.stdout)
  assert.deepEqual([...Value.Errors(outputSchemas[command] as unknown as TSchema, value)].slice(0, 2), [])
  // biome-ignore lint/suspicious/noExplicitAny: the schema has just been checked
  return value as any
}

test('a starter is good, and its tests pass, with a key and without', async () => {
  const { written } = await json(
    'policy init',
    0,
    'one',
    '--key',
    'release.pub',
    '--content',
    'registry.example/shop/**',
  )
  assert.deepEqual(written, ['one/policy.yaml', 'one/policy_test.rego'])
  assert.equal((await here('init', 'two')).exitCode, 0)
  const checked = await json('policy check', 0, 'one')
  assert.deepEqual(
    [checked.kind, checked.name, checked.tests, checked.keys],
    ['TrustPolicy', 'starter', 3, ['release']],
  )
  assert.match(
    (await here('check', 'two/policy.yaml')).stdout,
    /two\/policy\.yaml is good: trust policy starter, sha256:/,
  )
  for (const [folder, tests] of [
    ['one', 3],
    ['two', 2],
  ] as const) {
    const told = await json('policy test', 0, folder)
    assert.equal(told.ok, true)
    assert.equal(told.tests.length, tests)
  }
  assert.match(
    (await here('test', 'one')).stdout,
    /pass {2}policy_test\.rego:6 {2}data\.policy_test\.test_build\n/,
  )
  const again = await here('init', 'one')
  assert.match(again.stderr, /FILE_EXISTS/)
  assert.match((await here('init', 'three', '--content', 'Not A Name')).stderr, /TRUST_POLICY_INVALID/)
})

test('what is wrong is told with its place, and is usage', async () => {
  const policy = readFileSync(join(cwd, 'one/policy.yaml'), 'utf8')
  writeFileSync(join(cwd, 'bad.yaml'), policy.replace('unsigned: true', 'unsinged: true'))
  const bad = await here('check', 'bad.yaml')
  assert.equal(bad.exitCode, 2)
  assert.match(bad.stderr, /bad\.yaml:\d+:\d+: \/rules\/0\/unsinged is not known here/)
  mkdirSync(join(cwd, 'rego'))
  writeFileSync(join(cwd, 'rego/a.rego'), 'package sealift\n\ndecision := :=\n')
  const syntax = await here('check', 'rego')
  assert.equal(syntax.exitCode, 2)
  assert.match(syntax.stderr, /a\.rego:3:13: /)
  assert.equal((await here('check', 'nowhere')).exitCode, 3)
})

test('tests that fail, and none', async () => {
  mkdirSync(join(cwd, 'failing'))
  writeFileSync(join(cwd, 'failing/a.rego'), 'package sealift\n\ndecision := {"allow": true}\n')
  const none = await here('test', 'failing')
  assert.equal(none.exitCode, 1)
  assert.match(none.stderr, /POLICY_TESTS_FAILED/)
  writeFileSync(
    join(cwd, 'failing/a_test.rego'),
    'package sealift_test\n\ntest_no if data.sealift.decision.allow == false\n',
  )
  const told = await json('policy test', 1, 'failing')
  assert.deepEqual([told.ok, told.tests[0].outcome], [false, 'fail'])
})

test('an explanation says which rule, why, and what would make it yes', async () => {
  const evidence = (environment: string) => ({
    action: 'install',
    environment,
    principal: { kind: 'anonymous', name: '', groups: [], roles: [] },
    subjects: [
      {
        subject: {
          digest: `sha256:${'a'.repeat(64)}`,
          mediaType: 'x/y',
          reference: 'registry.example/shop/web:1',
        },
        signatures: [],
        attestations: [],
        refused: [],
      },
    ],
  })
  for (const name of ['build', 'production'])
    writeFileSync(join(cwd, `${name}.json`), JSON.stringify(evidence(name)))
  const yes = await here('explain', 'one', '--evidence', 'build.json', '--at', '2026-05-01T12:00:00Z')
  assert.equal(yes.exitCode, 0, yes.stderr)
  assert.match(yes.stdout, /^yes\ngood {2}registry\.example\/shop\/web:1 sha256:a+\n {2}by rule 1/)
  const no = await here('explain', 'one', '--evidence', 'production.json')
  assert.equal(no.exitCode, 5)
  assert.match(
    no.stdout,
    /^no\n {2}SIGNATURE_MISSING: no good signature by release on .*\n {4}to make it yes: let release sign/,
  )
  const facts = await json('policy explain', 5, 'one', '--evidence', 'production.json')
  assert.equal(facts.reasons[0].code, 'SIGNATURE_MISSING')
  const rules = await json(
    'policy explain',
    0,
    'failing',
    '--evidence',
    'build.json',
    '--at',
    '2026-05-01T12:00:00Z',
  )
  assert.deepEqual(rules.rules, [
    { name: 'data.sealift.decision', file: 'a.rego', line: 3, value: { allow: true } },
  ])
  assert.equal((await here('explain', 'one', '--evidence', 'build.json', '--at', 'noon')).exitCode, 2)
})
