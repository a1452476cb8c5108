// From a key to a receipt, from the outside: sign, verify, let in by a policy, record, replay, prove.
import assert from 'node:assert/strict'
import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { environments } from '#gate/index.ts'
import { firstLine, runHere, start } from './cli.suite.ts'
import { environmentNames } from './gate/flags.ts'
import { outputSchemas } from './output-schemas.suite.ts'

let cwd = ''
const env = { SEALIFT_PASSWORD: 'correct horse' }
const here = (...args: string[]) => runHere(args, { cwd, env })

async function good(...args: string[]) {
  const ran = await here(...args)
  assert.equal(ran.exitCode, 0, `${args.join(' ')}: ${ran.stderr}`)
  return ran
}

/** Refused with this code, which is exit code 5. */
async function refused(code: string, ...args: string[]) {
  const ran = await here(...args)
  assert.equal(ran.exitCode, 5, `${args.join(' ')}: ${ran.stdout}${ran.stderr}`)
  assert.match(ran.stderr, new RegExp(`\\[${code}\\]|^  ${code}: `, 'm'))
  return ran
}

async function json(command: keyof typeof outputSchemas, ...args: string[]) {
  const flag = command === 'override' ? '--format' : '-o'
  const ran = await good(...command.split(' '), ...args, flag, 'json')
  const value: unknown = JSON.parse(ran.stdout)
  assert.deepEqual(
    [...Value.Errors(outputSchemas[command] as unknown as TSchema, value)].slice(0, 3),
    [],
    command,
  )
  // biome-ignore lint/suspicious/noExplicitAny: the schema has just been checked
  return value as any
}

const policy = (key: string, more = '') => `apiVersion: sealift.dev/v1
kind: TrustPolicy
name: shop
keys:
  vendor: { file: ${key} }
  boss: { file: boss.pub }
${more}rules:
  - content: registry.example/shop/**
    signatures:
      - from: [{ key: vendor }]
`

before(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'sealift-gate-cli-'))
  writeFileSync(join(cwd, 'hello'), 'hello\n')
  for (const name of ['vendor', 'other', 'boss']) await good('key', 'generate', '--out', name)
  writeFileSync(join(cwd, 'trust.yaml'), policy('vendor.pub'))
  writeFileSync(join(cwd, 'strict.yaml'), policy('other.pub', 'overrides: { from: [{ key: boss }] }\n'))
  await good('image', 'build', 'oci:./layout:registry.example/shop/web:1', '--file', './hello:/hello')
  await good('pack', 'oci:./layout:registry.example/shop/web:1', '-o', 'unsigned.tgz')
  copyFileSync(join(cwd, 'unsigned.tgz'), join(cwd, 'app.tgz'))
  await good('sign', 'app.tgz', '--key', 'vendor.key')
})
after(() => rmSync(cwd, { recursive: true, force: true }))

test('the environments of the flags are those of the gate', () => {
  assert.deepEqual(environmentNames, environments)
})

describe('verify', () => {
  test('names who signed and every check that was made', async () => {
    const value = await json('verify', 'app.tgz', '--key', 'vendor.pub')
    const [{ by }] = value.signatures
    assert.equal(by.length, 2, 'the image’s signature, and the archive’s')
    assert.deepEqual(by[0].checks, ['signature', 'key-trusted', 'key-time', 'subject', 'not-revoked'])
    assert.equal(value.checked.items > 3, true)
  })

  test('needs no content for signatures alone', async () => {
    const value = await json('verify', 'app.tgz', '--key', 'vendor.pub', '--proofs-only')
    assert.equal(value.checked, undefined)
    assert.equal((await here('verify', 'app.tgz', '--proofs-only')).exitCode, 2)
  })

  test('refuses with the code of what is wrong', async () => {
    await refused('SIGNATURE_ABSENT', 'verify', 'unsigned.tgz', '--key', 'vendor.pub')
    await refused('KEY_UNTRUSTED', 'verify', 'app.tgz', '--key', 'other.pub')
    await refused(
      'KEY_UNTRUSTED',
      'verify',
      'app.tgz',
      '--identity',
      'a@b.example',
      '--issuer',
      'https://b.example',
    )
    assert.equal((await here('verify', 'app.tgz', '--identity', 'a@b.example')).exitCode, 2)
  })

  test('shows what a copy has left behind', async () => {
    await good('copy', 'app.tgz', 'oci:./whole')
    await good('verify', 'oci:./whole', '--against', 'app.tgz')
    await good('copy', 'app.tgz', 'oci:./bare', '--no-referrers')
    const bare = await here('verify', 'oci:./layout', '--against', 'app.tgz')
    assert.equal(bare.exitCode, 5)
    assert.match(bare.stdout, /signature, SBOM or other referrer of app\.tgz that was left behind/)
  })
})

describe('the policy', () => {
  test('is asked at pack, copy and verify, and everything is recorded and replays', async () => {
    const audit = ['--audit', 'audit']
    const gate = ['--policy', 'trust.yaml', ...audit]
    await refused('NOT_ADMITTED', 'verify', 'unsigned.tgz', ...gate)
    await refused('NOT_ADMITTED', 'copy', 'unsigned.tgz', 'oci:./in', ...gate)
    await refused(
      'SIGNATURE_MISSING',
      'pack',
      'oci:./layout:registry.example/shop/web:1',
      '-o',
      'x.tgz',
      ...gate,
    )
    assert.equal(existsSync(join(cwd, 'in')), false, 'nothing was written')
    await good('copy', 'app.tgz', 'oci:./in', ...gate)
    const list = await json('audit list', ...audit)
    assert.deepEqual(
      list.map(({ record }: { record: { allowed: boolean } }) => record.allowed),
      [false, false, false, true],
    )
    assert.equal((await json('audit list', '--denied', ...audit)).length, 3)
    assert.equal((await json('audit show', '3', ...audit)).evidence.length, 1)
    assert.equal((await json('audit replay', ...audit)).replayed, 4)
    assert.equal((await json('audit verify', ...audit)).entries, 4)
    for (const form of ['ocsf', 'cef', 'syslog', 'vsa', 'json']) {
      const { stdout } = await good('audit', 'export', '--as', form, ...audit)
      assert.ok(stdout.length > 500, form)
    }
  })

  test('an audit folder that was tampered with is told', async () => {
    const audit = ['--audit', 'audit-2']
    await good('verify', 'app.tgz', '--policy', 'trust.yaml', ...audit)
    copyFileSync(join(cwd, 'audit-2/log/checkpoint'), join(cwd, 'earlier'))
    await good('verify', 'app.tgz', '--policy', 'trust.yaml', ...audit)
    assert.equal((await json('audit verify', ...audit, '--checkpoint', 'earlier')).continues, 1)
    copyFileSync(join(cwd, 'audit-2/log/checkpoint'), join(cwd, 'later'))
    copyFileSync(join(cwd, 'earlier'), join(cwd, 'audit-2/log/checkpoint'))
    await refused('LOG_ROLLED_BACK', 'audit', 'verify', ...audit, '--checkpoint', 'later')
    copyFileSync(join(cwd, 'later'), join(cwd, 'audit-2/log/checkpoint'))
    const objects = join(cwd, 'audit-2/objects/sha256')
    const [folder = ''] = readdirSync(objects)
    rmSync(join(objects, folder), { recursive: true })
    await refused('VERIFICATION_FAILED', 'audit', 'verify', ...audit)
  })

  test('a key of the log is believed over the one in the folder; a database is only read', async () => {
    const audit = ['--audit', 'audit-9']
    await good('verify', 'app.tgz', '--policy', 'trust.yaml', ...audit)
    const path = join(cwd, 'audit-9/log.vkey')
    copyFileSync(path, join(cwd, 'known.vkey'))
    await good('verify', 'app.tgz', '--policy', 'trust.yaml', '--audit', 'audit-10')
    copyFileSync(join(cwd, 'audit-10/log.vkey'), path)
    assert.equal((await json('audit list', ...audit, '--log-key', 'known.vkey')).length, 1)
    assert.equal((await json('audit replay', ...audit, '--log-key', 'known.vkey')).replayed, 1)
    await refused('LOG_ORIGIN_WRONG', 'audit', 'list', ...audit)
    const database = ['--audit', 'postgres://auditor@127.0.0.1:1/broker']
    const told = async (code: string, ...args: string[]) =>
      assert.match((await here(...args)).stderr, new RegExp(`\\[${code}\\]`))
    await told('USAGE', 'verify', 'app.tgz', '--policy', 'trust.yaml', ...database)
    await told('LOG_DATABASE', 'audit', 'list', ...database)
    await told('USAGE', 'audit', 'list', '--audit', 'postgres://auditor:open@127.0.0.1:1/broker')
  })

  test('a signed override lets in what the rules do not, by name', async () => {
    const gate = ['--policy', 'strict.yaml', '--audit', 'audit-3']
    await refused('SIGNATURE_MISSING', 'copy', 'app.tgz', 'oci:./no', ...gate)
    const who = ['--person', 'Jo Field', '--reason', 'no link', '--until', '12h']
    await json('override', 'app.tgz', ...who, '--key', 'boss.key', '-o', 'boss.json')
    await json('override', 'app.tgz', ...who, '--key', 'vendor.key', '-o', 'vendor.json')
    await refused('SIGNATURE_MISSING', 'copy', 'app.tgz', 'oci:./no', ...gate, '--override', 'vendor.json')
    await good('copy', 'app.tgz', 'oci:./yes', ...gate, '--override', 'boss.json')
    const list = await json('audit list', '--audit', 'audit-3')
    assert.match(JSON.stringify(list.at(-1).record.reasons), /OVERRIDDEN.*Jo Field.*no link/)
    assert.equal((await json('audit replay', '--audit', 'audit-3')).ok, true)
  })

  test('an older release after a newer one stays out; a promised one that does not come is told', async () => {
    const gate = ['--policy', 'trust.yaml', '--audit', 'audit-4']
    copyFileSync(join(cwd, 'app.tgz'), join(cwd, 'old.tgz'))
    copyFileSync(join(cwd, 'app.tgz'), join(cwd, 'new.tgz'))
    const product = ['--product', 'shop', '--key', 'vendor.key']
    await json('release sign', 'old.tgz', ...product, '--sequence', '1')
    await json('release sign', 'new.tgz', ...product, '--sequence', '2', '--next-by', '2026-01-01T00:00:00Z')
    await good('verify', 'new.tgz', ...gate)
    assert.deepEqual(await json('release list', '--audit', 'audit-4'), [], 'who only looks lets nothing in')
    await good('copy', 'new.tgz', 'oci:./new', ...gate)
    const [known] = await json('release list', '--audit', 'audit-4')
    assert.deepEqual([known.sequence, known.overdue], [2, true])
    await refused('RELEASE_OVERDUE', 'release', 'list', '--check', '--audit', 'audit-4')
    await refused('RELEASE_ROLLED_BACK', 'copy', 'old.tgz', 'oci:./old', ...gate)
  })

  test('roles: who has no grant may not, with a policy or without', async () => {
    const rules = join(cwd, 'access.yaml')
    const as = (...args: string[]) => runHere(args, { cwd, env: { ...env, SEALIFT_ACCESS_RULES: rules } })
    const grant = (role: string, to: string) =>
      writeFileSync(
        rules,
        `version: 1\ngrants:\n  - { role: ${role}, to: ["user:${to}"], repositories: ["**"] }\n`,
      )
    const { username } = userInfo()
    const audit = ['--audit', 'state/audit']
    const policy = ['--policy', 'trust.yaml', ...audit]
    copyFileSync(join(cwd, 'app.tgz'), join(cwd, 'mine.tgz'))
    grant('owner', 'nobody')
    for (const args of [
      ['copy', 'app.tgz', 'oci:./roles', ...policy],
      ['copy', 'app.tgz', 'oci:./roles'],
      ['sign', 'mine.tgz', '--key', 'vendor.key'],
    ]) {
      const ran = await as(...args)
      assert.equal(ran.exitCode, 5, ran.stderr)
      assert.match(ran.stderr, /NOT_PERMITTED/)
    }
    grant('owner', username)
    assert.equal((await as('copy', 'app.tgz', 'oci:./roles')).exitCode, 0)
    assert.equal((await as('sign', 'mine.tgz', '--key', 'vendor.key')).exitCode, 0)
    const records = (await json('audit list', '--type', 'access', ...audit)).map(
      ({ record }: { record: { verb: string; allowed: boolean } }) => [record.verb, record.allowed],
    )
    assert.deepEqual(records, [
      ['carry', false],
      ['carry', false],
      ['sign', false],
      ['carry', true],
      ['sign', true],
    ])
  })
})

describe('receipts', () => {
  test('prove on the near side what was let in on the far one', async () => {
    const audit = ['--audit', 'audit-6']
    const nothing = await here('receipt', 'make', 'app.tgz', ...audit)
    assert.equal(nothing.exitCode, 3, nothing.stderr)
    await good('verify', 'app.tgz', '--policy', 'trust.yaml', ...audit)
    const asked = [
      '--site',
      'oilrig-7',
      '--challenge',
      'blue 42',
      '--key',
      'boss.key',
      '--png',
      'receipt.png',
    ]
    const made = await json('receipt make', 'app.tgz', ...audit, ...asked)
    assert.ok(made.sizeBytes <= 2900)
    assert.equal(readFileSync(join(cwd, 'receipt.png')).subarray(1, 4).toString(), 'PNG')
    writeFileSync(join(cwd, 'receipt'), made.receipt)
    const key = ['--log-key', made.verifierKey]
    const wanted = ['--key', 'boss.pub', '--content', 'app.tgz', '--challenge', 'blue 42']
    const verified = await json('receipt verify', 'receipt', ...key, ...wanted)
    assert.equal(verified.record.site, 'oilrig-7')
    await refused('RECEIPT_CHALLENGE', 'receipt', 'verify', 'receipt', ...key, '--challenge', 'red')
    await refused('RECEIPT_UNSIGNED', 'receipt', 'verify', 'receipt', ...key, '--key', 'other.pub')
  })
})

describe('a served archive', () => {
  test('gives out only what the policy admits, and its blobs with it', async () => {
    for (const [archive, status] of [
      ['app.tgz', 200],
      ['unsigned.tgz', 403],
    ] as const) {
      const flags = ['--policy', 'trust.yaml', '--audit', `audit-${archive}`]
      const server = start(['serve', archive, '--listen', '127.0.0.1:0', ...flags], { cwd, env })
      try {
        const url = `${await firstLine(server.stdout)}/v2/registry.example/shop/web`
        const accept = { headers: { accept: 'application/vnd.oci.image.manifest.v1+json' } }
        const layers = JSON.parse((await here('tree', 'app.tgz', '-o', 'json')).stdout)[0].tree.children as {
          digest: string
        }[]
        // A blob before its manifest was asked for: the gate finds what reaches it.
        assert.equal((await fetch(`${url}/blobs/${layers[0]?.digest}`)).status, status)
        const answer = await fetch(`${url}/manifests/1`, accept)
        assert.equal(answer.status, status)
        if (status === 403) assert.match(await answer.text(), /no good signature by vendor/)
      } finally {
        server.kill()
        await new Promise((resolve) => server.on('close', resolve))
      }
    }
  })
})
