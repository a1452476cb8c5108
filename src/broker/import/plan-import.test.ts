import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseToml } from '#attestation/index.ts'
import { isFailure, type Json } from '#base/index.ts'
import { planImport } from './plan-import.ts'

const plan = (text: string) => planImport(text, '/etc/kbs')
const toldOf = (text: string, from: string) => plan(text).notes.find((note) => note.from === from)

test('what has its like here is taken over', () => {
  const { members, policies, resources, policyFolders, admins, issuer, listen, notes } = plan(`
    [http_server]
    sockets = ["0.0.0.0:8080"]
    private_key = "/etc/kbs.key"
    certificate = "kbs.pem"
    payload_request_size = 4
    [admin]
    auth_public_key = "admin.pub"
    [attestation_service.attestation_token_broker]
    issuer_name = "https://kbs.example"
    duration_min = 10
    policy_dir = "/opt/policies"
    [policy_engine]
    policy_path = "policy.rego"
    [[plugins]]
    name = "resource"
    type = "LocalFs"
    dir_path = "repository"
  `)
  assert.deepEqual(
    members.map(({ path, value }) => [path.join('.'), value]),
    [
      ['tls', { certificate: '/etc/kbs/kbs.pem', key: '/etc/kbs.key' }],
      ['limits.bodyBytes', 4 * 1024 * 1024],
      ['tokenSeconds', 600],
    ],
  )
  assert.deepEqual([issuer, listen], ['https://kbs.example', '0.0.0.0:8080'])
  assert.deepEqual(admins, [{ principal: 'user:trustee-admin', publicKey: '/etc/kbs/admin.pub' }])
  assert.deepEqual(policies, [{ name: 'resource', path: '/etc/kbs/policy.rego' }])
  assert.deepEqual(
    [policyFolders, resources],
    [['/opt/policies'], [{ kind: 'tree', path: '/etc/kbs/repository' }]],
  )
  assert.deepEqual(
    notes.filter(({ to }) => to === undefined),
    [],
  )
})

test('what would weaken the broker is not taken, and told', () => {
  for (const [text, from] of [
    ['[admin]\ninsecure_api = true', 'admin.insecure_api'],
    ['[admin]\nauthorization_mode = "InsecureAllowAll"', 'admin.authorization_mode'],
    ['[attestation_token]\ninsecure_key = true', 'attestation_token.insecure_key'],
    ['[[plugins]]\nname = "resource"\ntype = "Vault"', 'plugins[0]'],
    ['[http_server]\nsockets = ["a:1", "b:2"]\ninsecure_http = true', 'http_server.sockets'],
    ['[other.member]\ndeep = 1', 'other.member.deep'],
    ['[http_server]\nsockets = ["nowhere"]', 'http_server.sockets'],
    [
      '[attestation_service.attestation_token_broker]\nissuer_name = "a b"',
      'attestation_service.attestation_token_broker.issuer_name',
    ],
  ] as const) {
    const notes = plan(text).notes.filter((note) => note.from === from)
    assert.ok(
      notes.some(({ to, why }) => to === undefined && why !== undefined),
      `${from}: ${JSON.stringify(notes)}`,
    )
  }
})

test('admins with several keys are several principals', () => {
  const { admins } = plan(`
    [admin]
    type = "Simple"
    [[admin.personas]]
    id = "ada"
    public_key_path = "/keys/ada.pub"
    [[admin.personas]]
    id = "no good"
    public_key_path = "/keys/other.pub"
  `)
  assert.deepEqual(admins, [{ principal: 'user:ada', publicKey: '/keys/ada.pub' }])
  assert.equal(toldOf('[admin]\npersonas = [1]', 'admin.personas[0]')?.to, undefined)
})

test('whatever stands in it, it is planned or refused', () => {
  const whole = `session_storage_type = "memory"
[http_server]
sockets = ["127.0.0.1:8080"]
private_key = "k"
certificate = "c"
payload_request_size = 2
[admin]
personas = [{ id = "ada", public_key_path = "p" }]
[attestation_service.attestation_token_broker]
issuer_name = "i"
duration_min = 5
policy_dir = "d"
[storage_backend]
storage_type = "LocalFs"
backends.local_fs.dir_path = "s"
[[plugins]]
name = "resource"
type = "LocalFs"
`
  const junk = fc.constantFrom(
    '',
    '[',
    ']',
    '"',
    '= 1',
    'x',
    '\n',
    '[[plugins]]',
    '{}',
    '[]',
    'true',
    '1e9',
    'http_server = 1\n',
  )
  fc.assert(
    fc.property(fc.nat(whole.length), fc.nat(40), junk, (at, length, more) => {
      try {
        const { members, listen } = plan(whole.slice(0, at) + more + whole.slice(at + length))
        for (const { path } of members) assert.ok(known.includes(path.join('.')))
        assert.ok(listen === undefined || /^\S+:\d+$/.test(listen))
      } catch (error) {
        assert.ok(isFailure(error, 'BROKER_CONFIGURATION_INVALID'), String(error))
      }
    }),
    { numRuns: 500 },
  )
})
const known: readonly string[] = ['tls', 'limits.bodyBytes', 'tokenSeconds']

test('what is no TOML is refused with its line', () => {
  assert.throws(() => plan('[http_server'), { code: 'BROKER_CONFIGURATION_INVALID', message: /line 1/ })
  assert.throws(() => plan('a = 1979-05-27'), { code: 'BROKER_CONFIGURATION_INVALID' })
})

const vectors = '../shared/vectors/confidential/trustee/kbs/configs'
const skip = !existsSync(vectors) && 'the shared vectors are not here'

test("of Trustee's own configurations no member is passed over", { skip }, () => {
  for (const file of readdirSync(vectors)) {
    const text = readFileSync(join(vectors, file), 'utf8')
    const notes = plan(text).notes.map(({ from }) => from)
    for (const leaf of leavesOf(parseToml(text, 16))) {
      const isTold = notes.some(
        (from) => leaf.startsWith(from) || from.split(', ').some((part) => leaf.endsWith(part)),
      )
      assert.ok(isTold, `${file}: ${leaf}`)
    }
  }
})

function leavesOf(value: Json, name = ''): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return name === 'plugins' ? [] : [name]
  }
  return Object.entries(value).flatMap(([member, inner]) =>
    leavesOf(inner, name ? `${name}.${member}` : member),
  )
}
