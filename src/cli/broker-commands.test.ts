// Every `broker` command beside a broker that serves, from nothing on.
import assert from 'node:assert/strict'
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { type Ran, type RunOptions, runHere } from './cli.suite.ts'
import { outputSchemas } from './output-schemas.suite.ts'

let cwd = ''
let url = ''
let adminUrl = ''
const stop = new AbortController()
let served: Promise<Ran> | undefined

const env = () => ({ SEALIFT_BROKER: join(cwd, 'broker'), SEALIFT_PASSWORD: 'only for a test' })
const run = (args: readonly string[], more: Partial<RunOptions> = {}) =>
  runHere(args, { cwd, env: env(), ...more })
const broker = (...args: string[]) => run(['broker', ...args])

/** The JSON of a command that goes well, held against its schema. */
async function json(command: keyof typeof outputSchemas, ...args: string[]) {
  const words = command.split(' ').filter((word) => word !== word.toUpperCase())
  const { exitCode, stdout, stderr } = await run([...words, ...args, '-o', 'json'])
  assert.equal(exitCode, 0, `${command}: ${stderr}`)
  const value = JSON.parse(stdout)
  const problems = [...Value.Errors(outputSchemas[command] as unknown as TSchema, value)]
  assert.deepEqual(problems, [], command)
  return value
}

const initData = 'version = "0.1.0"\nalgorithm = "sha256"\n[data]\n"node.name" = "web"\n'

before(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'sealift-broker-cli-'))
  writeFileSync(join(cwd, 'init-data.toml'), initData)
  const ports = ['--listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0']
  const made = await json('broker init', 'broker', '--sample', ...ports)
  assert.ok(made.files.includes('admin.key'))
  const more = 'nebula:\n  name: overlay\n  pool: { range: 10.42.0.0/24 }\npki:\n  trustDomain: t.example\n'
  appendFileSync(join(cwd, 'broker', 'broker.yaml'), more)
  const line = await new Promise<string>((resolve, reject) => {
    served = run(['broker', 'serve', 'broker', '-o', 'json'], { signal: stop.signal, onOutput: resolve })
    served.then(({ stderr }) => reject(new Error(stderr)), reject)
  })
  const told = JSON.parse(line)
  assert.deepEqual([...Value.Errors(outputSchemas['broker serve'], told)], [])
  url = told.url
  adminUrl = told.adminUrl
})

after(async () => {
  stop.abort()
  assert.equal((await served)?.exitCode, 0)
  rmSync(cwd, { recursive: true })
})

const overNetwork = () => ['--broker', adminUrl, '--admin-key', 'broker/admin.key']
const get = (path: string, ...more: string[]) => broker('client', 'get', path, '--url', url, ...more)

test('secrets are set, listed, read by guests that are good, and removed', async () => {
  writeFileSync(join(cwd, 'disk.key'), 'the key of a disk')
  const put = await json('broker resource put', 'default/key/disk', 'disk.key')
  assert.deepEqual(put, { resource: 'default/key/disk', sizeBytes: 17 })
  assert.deepEqual(await json('broker resource ls'), [{ resource: 'default/key/disk', store: 'main' }])
  const refused = await get('resource/default/key/disk')
  assert.equal(refused.exitCode, 5)
  assert.match(refused.stderr, /RCAR_REFUSED/)
  // By the process that serves, which sees its own changes at once, and those of others within a second.
  const flags = overNetwork()
  await json('broker reference set', 'svn', '["1"]', ...flags)
  const terms = ['--expires', '2099-01-31T00:00:00Z', ...flags]
  const set = await json('broker reference set', 'launch_digest', '["abcde"]', ...terms)
  assert.equal(set.expires, '2099-01-31T00:00:00.000Z')
  const good = await get('resource/default/key/disk')
  assert.deepEqual([good.exitCode, good.stdout], [0, 'the key of a disk'], good.stderr)
  const told = await json(
    'broker client get',
    'resource/default/key/disk',
    '--url',
    url,
    '--key-kind',
    'ML-KEM-768',
  )
  assert.equal(Buffer.from(told.base64, 'base64').toString(), 'the key of a disk')
  assert.equal((await get('resource/default/key/none')).exitCode, 3)
  assert.equal((await get('resource/default/key/disk', '--protocol', '0.1.1')).exitCode, 1)
  // Nobody but guests reads, as long as the store says nothing else.
  assert.equal((await broker('resource', 'get', 'default/key/disk')).exitCode, 5)
  await json('broker resource rm', 'default/key/disk')
  assert.equal((await get('resource/default/key/disk')).exitCode, 3)
  const unreachable = await broker('client', 'get', 'resource/a/b/c', '--url', 'http://127.0.0.1:1')
  assert.deepEqual(
    [unreachable.exitCode, /RCAR_FAILED|BROKER_UNREACHABLE/.test(unreachable.stderr)],
    [1, true],
  )
})

test('reference values are listed, imported and removed', async () => {
  const payload = Buffer.from(JSON.stringify({ imported: ['x'] })).toString('base64')
  writeFileSync(join(cwd, 'message.json'), JSON.stringify({ version: '0.1.0', type: 'sample', payload }))
  const { imported, origin } = await json('broker reference import', 'message.json')
  assert.deepEqual(imported, ['imported'])
  assert.match(origin, /^user:.+, message sha256:/)
  const listed = await json('broker reference ls')
  assert.deepEqual(listed.find(({ name }: { name: string }) => name === 'imported').value, ['x'])
  await json('broker reference rm', 'imported')
  assert.equal((await broker('reference', 'rm', 'imported')).exitCode, 3)
  const unquoted = await broker('reference', 'set', 'svn', 'one')
  assert.deepEqual([unquoted.exitCode, /USAGE/.test(unquoted.stderr)], [2, true])
})

test('policies are shown, tried, set and rolled back', async () => {
  writeFileSync(join(cwd, 'none.rego'), 'package policy\n\nimport rego.v1\n\ndefault allow := false\n')
  assert.equal((await json('broker policy show')).length, 3)
  const tried = await json('broker policy try', 'resource', 'none.rego')
  assert.equal(tried.newlyAllowed, 0)
  assert.equal((await json('broker policy set', 'resource', 'none.rego')).version, 2)
  const { files, versions } = await json('broker policy show NAME', 'resource')
  assert.match(files[0].text, /default allow := false/)
  assert.equal(versions.length, 2)
  const back = await json('broker policy rollback', 'resource')
  assert.deepEqual([back.version, back.rollbackOf], [3, 1])
  writeFileSync(join(cwd, 'broken.rego'), 'package policy\nallow if {\n')
  const broken = await broker('policy', 'set', 'resource', 'broken.rego')
  assert.notEqual(broken.exitCode, 0)
  assert.match(broken.stderr, /broken\.rego:/)
})

test('the same over the network, with the key that init made', async () => {
  const flags = overNetwork()
  assert.equal((await json('broker policy show', ...flags)).length, 3)
  await json('broker reference set', 'remote', '1', ...flags)
  assert.equal((await broker('reference', 'rm', 'gone', ...flags)).exitCode, 3)
  assert.equal((await broker('policy', 'show', '--broker', adminUrl)).exitCode, 2)
  await run(['key', 'generate', '--type', 'ed25519', '--out', 'stranger'])
  const stranger = await broker('policy', 'show', '--broker', adminUrl, '--admin-key', 'stranger.key')
  assert.deepEqual([stranger.exitCode, /BROKER_REFUSED/.test(stranger.stderr)], [5, true], stranger.stderr)
  const nobody = await broker(
    'policy',
    'show',
    '--broker',
    'http://127.0.0.1:1',
    '--admin-key',
    'broker/admin.key',
  )
  assert.match(nobody.stderr, /BROKER_UNREACHABLE/)
})

test('names and addresses are listed and taken away', async () => {
  const asked = await get('nebula-ca/credential', '--query', 'name=web', '--init-data', 'init-data.toml')
  assert.equal(asked.exitCode, 0, asked.stderr)
  const [lease] = await json('broker leases ls')
  assert.equal(lease.name, 'web')
  assert.match(lease.address, /^10\.42\.0\.\d+$/)
  assert.match((await broker('leases')).stdout, /^NAME +ADDRESS/)
  await json('broker leases revoke', 'web')
  assert.deepEqual(await json('broker leases ls'), [])
  assert.equal((await broker('leases', 'revoke', 'web')).exitCode, 3)
})

test('keys are rotated while the broker serves', async () => {
  writeFileSync(join(cwd, 'one'), 'one')
  await json('broker resource put', 'default/key/one', 'one')
  const rotated = await json('broker rotate master')
  assert.equal(rotated.keys, 2)
  const after = await get('resource/default/key/one')
  assert.deepEqual([after.exitCode, after.stdout], [0, 'one'], after.stderr)
  assert.equal((await json('broker rotate token')).keys.length, 2)
  // By the process that serves: what comes after it must not meet a key of before.
  const fresh = await json('broker rotate token', '--distrust', ...overNetwork())
  assert.equal(fresh.keys.length, 1)
  assert.equal((await json('broker rotate nebula')).length, 2)
  const authorities = await json('broker rotate pki', '--root')
  assert.equal(authorities.filter(({ issues }: { issues: boolean }) => issues).length, 2)
  assert.equal((await broker('rotate', 'master', '--broker', adminUrl)).exitCode, 2)
})

test('a token is checked, and what it says is told', async () => {
  const { token } = await json('broker client token', '--url', url, '--init-data', 'init-data.toml')
  writeFileSync(join(cwd, 'token.jwt'), `${token}\n`)
  const plain = await broker('client', 'token', '--url', url, '--protocol', '0.2.0')
  assert.match(plain.stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/)
  const jwks = `${url}/.well-known/jwks.json`
  const told = await json('token verify', 'token.jwt', '--jwks', jwks, '--issuer', 'https://broker.example')
  const [{ name, status, initDataDigest }] = told.submods
  assert.deepEqual([name, status, told.submods.length], ['cpu0', 'affirming', 1])
  assert.ok(initDataDigest.length > 40)
  writeFileSync(join(cwd, 'jwks.json'), await (await fetch(jwks)).text())
  const verify = (...args: string[]) => run(['token', 'verify', 'token.jwt', ...args])
  assert.match((await verify('--jwks', 'jwks.json')).stdout, /^cpu0: affirming, by the policy default/m)
  const certificates = await (await fetch(`${url}/kbs/v0/token-certificates`)).text()
  writeFileSync(join(cwd, 'issuer.pem'), certificates)
  assert.equal((await verify('--certificate', 'issuer.pem')).exitCode, 0)
  assert.equal((await verify('--jwks', 'jwks.json', '--issuer', 'https://other.example')).exitCode, 5)
  assert.equal((await verify()).exitCode, 2)
  assert.equal((await verify('--jwks', 'http://kbs.example/jwks.json')).exitCode, 2)
  writeFileSync(join(cwd, 'token.jwt'), token.slice(0, -8))
  assert.equal((await verify('--jwks', 'jwks.json')).exitCode, 5)
})

test('a broker is checked', async () => {
  assert.equal((await json('broker check', 'broker')).ok, true)
  mkdirSync(join(cwd, 'empty'))
  const empty = await run(['broker', 'check', 'empty'])
  assert.equal(empty.exitCode, 1)
  assert.match(empty.stdout, /^problem {2}configuration: FILE_SYSTEM/)
  assert.match(empty.stderr, /BROKER_UNSOUND/)
})

test("a broker is made out of Trustee's configuration", async () => {
  const repository = join(cwd, 'repository', 'default', 'key')
  mkdirSync(repository, { recursive: true })
  writeFileSync(join(repository, 'old'), 'from before')
  writeFileSync(join(cwd, 'policy.rego'), 'package policy\n\ndefault allow = true\n')
  writeFileSync(join(cwd, 'admin.pub'), readFileSync(join(cwd, 'broker', 'admin.pub')))
  writeFileSync(
    join(cwd, 'kbs.toml'),
    `[http_server]
sockets = ["127.0.0.1:8080"]
insecure_http = true
[admin]
auth_public_key = "admin.pub"
[policy_engine]
policy_path = "policy.rego"
[storage_backend]
storage_type = "redis"
[[plugins]]
name = "resource"
type = "LocalFs"
dir_path = "repository"
`,
  )
  const { notes, policies, resources, directory } = await json('broker import', 'kbs.toml', 'imported')
  assert.deepEqual([policies, resources], [['resource'], ['default/key/old']])
  const refused = notes.filter(({ to }: { to?: string }) => to === undefined)
  assert.deepEqual(
    refused.map(({ from }: { from: string }) => from),
    ['storage_backend.storage_type'],
  )
  assert.match(readFileSync(join(directory, 'broker.yaml'), 'utf8'), /principal: user:trustee-admin/)
  const listed = await broker('resource', 'ls', '--broker', directory)
  assert.match(listed.stdout, /^default\/key\/old +main$/m)
  assert.equal((await broker('import', 'kbs.toml', 'imported')).exitCode, 1)
})
