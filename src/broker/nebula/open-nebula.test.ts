import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isFailure, type Json } from '#base/index.ts'
import { decide } from '#policy/index.ts'
import { MemorySecretStore } from '../../../test/support/memory-secret-store.ts'
import { at, guest, hour, open, signal } from '../../../test/support/opened-nebula.ts'
import { identityOf } from '../identity.ts'
import { compileResourcePolicy } from '../policies/index.ts'
import { problemOf } from '../problem.ts'
import type { Caller } from '../types.ts'
import { makeNodeKey } from './node-key.ts'
import { nodeKeyDigest } from './possession.ts'

const refused = (code: string) => (error: unknown) => isFailure(error, code)
describe('who gets what from an open Nebula', () => {
  test('Trustee’s form of a request, with Go’s durations', async () => {
    const { credential } = await open(undefined, { longestHours: 8760, authorityDays: 1095 })
    const query = {
      name: 'node1',
      ip: '10.0.0.5/24',
      duration: '8760h',
      groups: 'server,ssh',
      subnets: '192.168.7.0/24',
    }
    const { certificate } = await credential(query)
    assert.deepEqual(certificate.groups, ['server', 'ssh'])
    assert.equal(certificate.notAfter * 1000, at(8760 * hour).getTime())
    assert.equal(certificate.notBefore * 1000, at(-60).getTime())
  })

  test('a policy ties name and address to the init-data, in one rule', async () => {
    const { nebula, request } = await open()
    const policy = compileResourcePolicy([
      {
        path: 'policy.rego',
        text: `package policy
import rego.v1
default allow := false
node := input.submods.cpu0["ear.veraison.annotated-evidence"].init_data_claims
allow if {
  data.plugin == "nebula-ca"
  data["resource-path"] == ["credential"]
  data.request.nebula.name == node["node.name"]
  data.request.nebula.address == node["node.ip"]
  data.request.nebula.groups == ["server"]
  data.request.nebula.durationSeconds <= 86400
}
`,
      },
    ])
    const ask = (query: Record<string, string>, caller: Caller) => {
      const { claims } = caller as Extract<Caller, { kind: 'guest' }>
      const told = nebula.plugin.policyData!(request(query, caller)) as { [name: string]: Json }
      return decide(policy, { claims, request: { method: 'GET', ...told } }, at(0)).allowed
    }
    const web = guest('a', { 'node.name': 'web', 'node.ip': '10.0.0.5' })
    const query = { name: 'web', ip: '10.0.0.5/24', groups: 'server' }
    assert.equal(ask(query, web), true)
    // Another spelling is the same address to the policy.
    assert.equal(ask({ ...query, ip: '10.0.0.5' }, web), true)
    for (const other of [
      { ip: '10.0.0.6/24' },
      { name: 'db' },
      { groups: 'server,admin' },
      { groups: '' },
      { duration: '48h' },
    ])
      assert.equal(ask({ ...query, ...other }, web), false, JSON.stringify(other))
    assert.equal(ask({ name: 'web', groups: 'server' }, web), false)
    assert.equal(ask(query, guest('b')), false)
  })

  test('what a policy sees is the query as it stands and what it means', async () => {
    const { nebula, request } = await open()
    const query = { name: 'web', ip: '10.0.0.5/24', groups: 'b, a', subnets: '192.168.0.0/24' }
    const data = nebula.plugin.policyData!(request(query, guest('g')))
    assert.deepEqual(data, {
      plugin: 'nebula-ca',
      'resource-path': ['credential'],
      query,
      nebula: {
        name: 'web',
        address: '10.0.0.5',
        groups: ['a', 'b'],
        unsafeNetworks: ['192.168.0.0/24'],
        durationSeconds: 86_400,
        ownKey: false,
        identity: identityOf()(guest('g')),
      },
    })
    const release = nebula.plugin.policyData!(request({ name: 'web' }, guest('g'), { method: 'DELETE' }))
    assert.deepEqual(release.nebula, { name: 'web', identity: identityOf()(guest('g')) })
  })

  test('what is no request is asked of nobody: names, addresses and times that cannot be', async () => {
    const { nebula, request, store } = await open()
    const before = store.entries.size
    const names = [
      '',
      '../x',
      'a/b',
      '"] == true',
      "a'; drop table x",
      'a b',
      'ä',
      'a\0',
      'a.',
      '.',
      '-a',
      'x'.repeat(254),
    ]
    const bad: Record<string, string>[] = [
      ...names.map((name) => ({ name })),
      ...[
        '10.0.1.5/24',
        '10.0.0.5/16',
        '10.0.0.0',
        '10.0.0.255',
        '10.0.0.1',
        '::ffff:10.0.0.5',
        '010.0.0.5',
        '10.0.0.5/24,10.0.0.6/24',
        '',
      ].map((ip) => ({ name: 'web', ip })),
      ...['0h', '0s', 'NaN', 'Infinity', '1e9h', '-1h', '49h', '99999999999999999999h', '1.5h', ''].map(
        (duration) => ({ name: 'web', duration }),
      ),
      { name: 'web', 'name[]': 'db' },
      { name: 'web', subnets: 'x' },
      { name: 'web', groups: ','.repeat(10_000) },
    ]
    for (const query of bad) {
      const asked = request(query, guest('g'))
      const invalid = refused('NEBULA_REQUEST_INVALID')
      assert.throws(() => nebula.plugin.policyData!(asked), invalid, JSON.stringify(query))
      await assert.rejects(nebula.plugin.handle(asked, at(0), signal), invalid)
    }
    for (const caller of [guest(''), { kind: 'anonymous' } as const])
      assert.throws(
        () => nebula.plugin.policyData!(request({ name: 'web' }, caller)),
        refused('NEBULA_CALLER_REFUSED'),
      )
    assert.throws(
      () => nebula.plugin.policyData!(request({ name: 'web' }, guest('g'), { path: ['revoke'] })),
      refused('NEBULA_PATH_UNKNOWN'),
    )
    assert.equal(store.entries.size, before)
  })

  test('a node key that the init-data name is certified', async () => {
    const { credential } = await open()
    const { publicKey } = makeNodeKey('CURVE25519')
    const query = { name: 'web', 'public-key': Buffer.from(publicKey).toString('base64url') }
    const claims = { 'nebula.node-key': `${nodeKeyDigest('CURVE25519', publicKey)}\n` }
    const { certificate } = await credential(query, 0, guest('g', claims))
    assert.deepEqual(Buffer.from(certificate.publicKey), Buffer.from(publicKey))
    await assert.rejects(
      credential(query, 0, guest('g', { 'nebula.node-key': 'x' })),
      refused('NEBULA_POSSESSION_UNPROVED'),
    )
    await assert.rejects(credential(query, 0, guest('g')), refused('NEBULA_POSSESSION_UNPROVED'))
  })

  test('admins list leases page by page, end them, and bar a holder until it is reinstated', async () => {
    const { admin, credential, nebula } = await open()
    const names = ['a', 'b', 'c', 'd', 'e']
    for (const name of names) await credential({ name })
    await credential({ name: 'other' }, 0, guest('h'))
    const found: string[] = []
    for (let after: string | undefined; ; ) {
      const { leases, next } = await admin('GET leases', 1, { limit: '2', ...(after && { after }) })
      found.push(...leases.map(({ name }) => name))
      if (next === undefined) break
      after = next
    }
    assert.deepEqual(found.sort(), [...names, 'other'])
    for (const limit of ['0', '1001', 'x', '-1'])
      await assert.rejects(admin('GET leases', 1, { limit }), refused('NEBULA_REQUEST_INVALID'))
    await admin('DELETE leases/a', 1)
    assert.equal((await nebula.leases.revocations.fingerprints(at(1))).length, 1)
    await assert.rejects(admin('DELETE leases/a', 1), refused('LEASE_NOT_FOUND'))
    await credential({ name: 'a' }, 2)
    const holder = identityOf()(guest('g'))!
    const told = (await admin(`PUT nebula/holders/${holder}`, 3, {}, '{"reason":"lost"}')) as unknown as {
      leases: string[]
    }
    assert.deepEqual(told.leases.sort(), names)
    await assert.rejects(credential({ name: 'a' }, 4), refused('LEASE_HOLDER_REVOKED'))
    await credential({ name: 'other' }, 4, guest('h'))
    const barred = (await admin('GET nebula/holders', 4)) as unknown as { revoked: unknown }
    assert.deepEqual(barred.revoked, [{ holder, reason: 'lost' }])
    await admin(`DELETE nebula/holders/${holder}`, 5)
    await credential({ name: 'a' }, 6)
    assert.equal((await nebula.leases.revocations.fingerprints(at(6))).length, 6)
    for (const call of [
      'POST leases',
      'GET leases/a/b',
      'GET nebula',
      'POST nebula/rotate/x',
      'PUT nebula/holders',
    ])
      await assert.rejects(admin(call, 6), refused('NEBULA_PATH_UNKNOWN'), call)
    await assert.rejects(
      admin(`PUT nebula/holders/${holder}`, 6, {}, '{"why":1}'),
      refused('BROKER_REQUEST_INVALID'),
    )
  })

  test('whoever goes away in the middle leaves nothing that others cannot have', async () => {
    for (let steps = 1; ; steps++) {
      const abort = new AbortController()
      let left = steps
      const store = new MemorySecretStore(async () => {
        if (--left === 0) abort.abort()
      })
      const { nebula, request, credential } = await open(store)
      left = steps
      const done = await nebula.plugin
        .handle(request({ name: 'web', ip: '10.0.0.9' }, guest('g')), at(0), abort.signal)
        .then(
          () => !abort.signal.aborted,
          () => false,
        )
      // Its own holder gets it at once, whatever was left.
      await credential({ name: 'web', ip: '10.0.0.9' }, 1)
      if (done) break
      assert.ok(steps < 100)
    }
  })

  test('failures are told by what they are, and no more', async () => {
    const { credential, nebula } = await open()
    await credential({ name: 'web', ip: '10.0.0.9' })
    const status = async (query: Record<string, string>, caller = guest('other')) => {
      const error: unknown = await credential(query, 1, caller).then(
        () => assert.fail(),
        (cause: unknown) => cause,
      )
      const { status: found, detail } = problemOf(error, nebula.plugin.problems!)
      assert.doesNotMatch(detail, /web|10\.0\.0\.9/)
      return found
    }
    assert.equal(await status({ name: 'web' }), 409)
    assert.equal(await status({ name: 'x', ip: '10.0.0.9' }), 409)
    assert.equal(await status({ name: 'x', ip: '10.0.3.9' }), 400)
    assert.equal(await status({ name: 'x' }, guest('')), 403)
  })
})
