// Trustee's own kbs-client, unmodified, administers our key broker at the admins' listener, and gets as a guest what it
// has brought; and curl and OpenSSL meet its TLS. The clients are never required: see guest-programs.ts.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { accessSync, constants, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { adminToken } from '#broker/index.ts'
import { createAuthority, publicKeyOf } from '#keys/index.ts'
import { type BrokerEvent, type BrokerServer, startBrokerServer } from '#server/index.ts'
import { type BrokerScene, brokerScene } from '../support/broker-scene.ts'
import { peersCache } from './peers.ts'
import { Workbench } from './workbench.ts'

const program = join(peersCache, 'bin', 'kbs-client')
const skip = isExecutable(program) ? false : 'NOT TESTED: no kbs-client here (sh test/peers/kbs-client.sh)'
const bench = new Workbench()
const events: BrokerEvent[] = []
let scene: BrokerScene
let server: BrokerServer

interface Run {
  readonly exit: number
  readonly out: string
  readonly said: string
}

const run = (command: string, args: readonly string[]): Promise<Run> =>
  new Promise((resolve) => {
    execFile(
      command,
      args,
      { timeout: 60_000, cwd: bench.folder, env: { HOME: bench.folder } },
      (error, out, said) => resolve({ exit: error ? Number(error.code ?? 1) : 0, out, said }),
    )
  })

/** As the owner, at an address, with the token in a file, as kbs-client takes it. */
function configure(url: string | undefined, ...args: readonly string[]): Promise<Run> {
  const token = bench.fresh('admin-token')
  writeFileSync(token, `${adminToken({ privateKey: scene.ownerKey, audience: server.adminUrl! })}\n`)
  return run(program, ['--url', url!, 'config', '--admin-token-file', token, ...args])
}

const get = (path: string) => run(program, ['--url', server.guestUrl, 'get-resource', '--path', path])

function file(name: string, text: string): string {
  const path = bench.fresh(name)
  writeFileSync(path, text)
  return path
}

before(async () => {
  scene = await brokerScene((yaml) => yaml.replace('127.0.0.1:8081', '127.0.0.1:0'))
  server = await startBrokerServer({ ...scene.broker, log: (event) => events.push(event) }, '127.0.0.1:0')
})
after(async () => {
  await server?.[Symbol.asyncDispose]()
  await scene?.[Symbol.asyncDispose]()
  await bench[Symbol.asyncDispose]()
})

describe("Trustee's kbs-client", { skip }, () => {
  const secret = 'harbour'
  const path = 'default/key/one'

  test('brings reference values, policies and a secret, and gets it as a guest', async () => {
    for (const [name, value] of [
      ['svn', '1'],
      ['launch_digest', 'abcde'],
    ] as const) {
      const { exit, said } = await configure(server.adminUrl, 'set-sample-reference-value', name, value)
      assert.equal(exit, 0, said)
    }
    const shown = await configure(server.adminUrl, 'get-reference-value', '--id', 'svn')
    assert.equal(shown.exit, 0, shown.said)
    assert.match(shown.out, /1/)
    const resource = file('secret', secret)
    const put = await configure(server.adminUrl, 'set-resource', '--path', path, '--resource-file', resource)
    assert.equal(put.exit, 0, put.said)
    const policy = await configure(server.adminUrl, 'set-resource-policy', '--affirming')
    assert.equal(policy.exit, 0, policy.said)
    const got = await get(path)
    assert.equal(got.exit, 0, got.said)
    assert.equal(Buffer.from(got.out.trim().split('\n').at(-1)!, 'base64').toString(), secret)
  })

  test('is refused by its own policy, and by an attestation policy', async () => {
    assert.equal((await configure(server.adminUrl, 'set-resource-policy', '--deny-all')).exit, 0)
    const denied = await get(path)
    assert.notEqual(denied.exit, 0)
    assert.match(denied.said + denied.out, /PolicyDeny|403/)
    const bad = file('bad.rego', 'package policy\n\nallow if {')
    const refused = await configure(server.adminUrl, 'set-resource-policy', '--policy-file', bad)
    assert.notEqual(refused.exit, 0)
    assert.equal((await configure(server.adminUrl, 'set-resource-policy', '--affirming')).exit, 0)
    const worst = file(
      'worst.rego',
      'package policy\n\nimport rego.v1\n\ntrust_claims := {"executables": 33}\n',
    )
    const args = ['--type', 'rego', '--id', 'default_cpu', '--policy-file', worst]
    const set = await configure(server.adminUrl, 'set-attestation-policy', ...args)
    assert.equal(set.exit, 0, set.said)
    assert.notEqual((await get(path)).exit, 0)
  })

  test('deletes, and is nobody without its token or at the listener of guests', async () => {
    const anonymous = await run(program, [
      '--url',
      server.adminUrl!,
      'config',
      'delete-resource',
      '--path',
      path,
    ])
    assert.notEqual(anonymous.exit, 0)
    assert.match(anonymous.said, /AdminAuthAccess/)
    const elsewhere = await configure(server.guestUrl, 'delete-resource', '--path', path)
    assert.match(elsewhere.said, /AdminAuthAccess/)
    const { exit, said } = await configure(server.adminUrl, 'delete-resource', '--path', path)
    assert.equal(exit, 0, said)
    const callers = events.flatMap((event) => (event.event === 'request' ? [event.caller] : []))
    assert.ok(callers.includes('user:ada'))
  })
})

describe('TLS of the listeners', () => {
  test('curl and OpenSSL connect, prove who they are, and are refused old versions', async () => {
    const week = { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 86_400_000) }
    const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    const authority = await createAuthority({ ...week, subject: { commonName: 'admins' }, key })
    const issue = async (name: string, usage: 'client' | 'server') => {
      const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
      const { pem } = await authority.issue({
        ...week,
        subject: { commonName: name },
        ipAddresses: ['127.0.0.1'],
        publicKey: publicKeyOf(pair.publicKey),
        usages: [usage],
      })
      return {
        certificate: file(`${name}.pem`, pem),
        key: file(`${name}.key`, String(pair.privateKey.export({ type: 'pkcs8', format: 'pem' }))),
      }
    }
    const ca = file('ca.pem', authority.certificate.pem)
    const tls = await issue('server', 'server')
    const ada = await issue('ada', 'client')
    const admin = { listen: '127.0.0.1:0', tls, clientCa: ca }
    const configuration = { ...scene.broker.configuration, tls, admin }
    const { face, directory } = scene.broker
    const seen: BrokerEvent[] = []
    await using on = await startBrokerServer(
      { face, configuration, directory, log: (event) => seen.push(event) },
      '127.0.0.1:0',
    )
    const status = ['-s', '-o', '/dev/null', '-w', '%{http_code}', '--cacert', ca]
    const proved = ['--cert', ada.certificate, '--key', ada.key]
    const curl = async (...args: string[]) => (await run('curl', [...status, ...args])).out
    for (const version of ['1.2', '1.3']) {
      const only = [`--tlsv${version}`, '--tls-max', version]
      assert.equal(await curl(...only, `${on.guestUrl}/healthz`), '200')
      assert.equal(await curl(...only, `${on.adminUrl}/admin/v1/policies`), '401')
      // Known, and without a grant.
      assert.equal(await curl(...only, ...proved, `${on.adminUrl}/admin/v1/policies`), '403')
    }
    assert.equal(await curl('--http2', `${on.guestUrl}/healthz`), '200')
    assert.equal(await curl('--path-as-is', `${on.guestUrl}/kbs/v0/../kbs/v0/auth`), '404')
    assert.ok(seen.some((event) => event.event === 'request' && event.caller === 'certificate:ada'))
    const { host } = new URL(on.guestUrl)
    const old = await run('openssl', ['s_client', '-connect', host, '-tls1_1', '-CAfile', ca])
    assert.notEqual(old.exit, 0)
  })
})

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
