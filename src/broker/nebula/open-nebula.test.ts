import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isFailure, type Json, leaseLimits } from '#base/index.ts'
import { decide } from '#policy/index.ts'
import { MemorySecretStore } from '../../../test/support/memory-secret-store.ts'
import type { NebulaConfiguration } from '../configuration/types.ts'
import type { AdminRequest } from '../face.ts'
import { identityOf } from '../identity.ts'
import { compileResourcePolicy } from '../policies/index.ts'
import { problemOf } from '../problem.ts'
import type { Caller, PluginRequest } from '../types.ts'
import { formatAuthorities, parseAuthorities } from './authority-record.ts'
import { parseNebulaPem } from './certificate.ts'
import { makeNodeKey } from './node-key.ts'
import { openNebula } from './open-nebula.ts'
import { nodeKeyDigest } from './possession.ts'
import { verifyNebulaCertificate } from './verify.ts'

const refused = (code: string) => (error: unknown) => isFailure(error, code)
const hour = 3600
const day = 24 * hour
const at = (seconds: number) => new Date(1_800_000_000_000 + seconds * 1000)
const signal = new AbortController().signal
const configuration: NebulaConfiguration = {
  name: 'overlay',
  pool: { range: '10.0.0.0/24', exclude: ['10.0.0.1'] },
  authorityDays: 10,
  longestHours: 48,
  announceHours: 2,
}

const guest = (digest: string, initData: { [name: string]: Json } = {}): Caller => ({
  kind: 'guest',
  claims: {
    submods: {
      cpu0: { 'ear.veraison.annotated-evidence': { init_data: digest, init_data_claims: initData } },
    },
  },
  teeKey: { kty: 'EC' },
})

async function open(
  store: MemorySecretStore = new MemorySecretStore(),
  more: Partial<NebulaConfiguration> = {},
  seconds = 0,
) {
  const nebula = await openNebula(
    store,
    { ...configuration, ...more },
    { identity: identityOf(), now: () => at(seconds), refreshMs: 0 },
  )
  const request = (query: Record<string, string>, caller: Caller, rest: Partial<PluginRequest> = {}) =>
    ({
      plugin: 'nebula-ca',
      method: 'GET',
      path: ['credential'],
      body: new Uint8Array(),
      query,
      caller,
      ...rest,
    }) as const
  const credential = async (query: Record<string, string>, when = 0, caller: Caller = guest('g')) => {
    const { body } = await nebula.plugin.handle(request(query, caller), at(when), signal)
    const fields = JSON.parse(Buffer.from(body).toString()) as Record<string, number[]>
    const read = (name: string) => parseNebulaPem(Buffer.from(fields[name]!).toString())
    const [certificate] = read('node_crt')
    return { certificate: certificate!, trusted: read('ca_crt') }
  }
  const ca = async (when: number) => {
    const { body } = await nebula.plugin.handle(
      request({}, { kind: 'anonymous' }, { path: ['ca'] }),
      at(when),
      signal,
    )
    return parseNebulaPem(Buffer.from(body).toString())
  }
  const admin = async (call: string, when: number, query: Record<string, string> = {}, body = '') => {
    const [method, path = ''] = call.split(' ')
    const names = path.split('/')
    const handler = nebula.administration.handlers[names[0]!]!
    const asked = {
      method,
      path: names,
      query,
      body: Buffer.from(body),
      api: 'admin',
    } as unknown as AdminRequest
    return JSON.parse(Buffer.from((await handler(asked, at(when), signal)).body).toString()) as {
      authorities: { fingerprint: string; phase: string; trustedUntil: string; certificate: string }[]
      leases: { name: string; address: string; holder: string }[]
      next?: string
    }
  }
  return { nebula, store, request, credential, ca, admin }
}

describe('the authorities of an open Nebula', () => {
  test('replicas that open an empty state at once have one authority', async () => {
    const store = new MemorySecretStore(() => new Promise((resolve) => setImmediate(resolve)))
    const opened = await Promise.all(Array.from({ length: 5 }, () => open(store)))
    const found = await Promise.all(opened.map(({ ca }) => ca(0)))
    assert.equal(new Set(found.flat().map(({ publicKey }) => Buffer.from(publicKey).toString('hex'))).size, 1)
    const [authority] = found[0]!
    assert.deepEqual([authority?.name, authority?.version], ['overlay', 1])
    for (const { credential } of opened)
      verifyNebulaCertificate((await credential({ name: 'web' })).certificate, found[0]!, at(0))
  })

  test('the next is trusted at once, issues later, and the one before falls out after its last certificate', async () => {
    const { admin, ca, credential } = await open()
    const [first] = await ca(0)
    assert.deepEqual(
      (await admin('POST nebula/rotate', 0)).authorities.map(({ phase }) => phase),
      ['issuing', 'announced'],
    )
    await assert.rejects(admin('POST nebula/rotate', 1), refused('NEBULA_ROTATION_PENDING'))
    const [, second, ...none] = await ca(0)
    assert.deepEqual(none, [])
    assert.deepEqual((await credential({ name: 'early' }, 2 * hour - 1)).trusted, [first, second])
    const late = await credential({ name: 'late' }, 2 * hour)
    const last = await credential({ name: 'early', duration: '48h' }, 2 * hour - 1)
    const trusted = await ca(2 * hour)
    assert.equal(verifyNebulaCertificate(last.certificate, trusted, at(2 * hour)), trusted[0])
    assert.equal(verifyNebulaCertificate(late.certificate, trusted, at(2 * hour)), trusted[1])
    const end = 50 * hour + 60
    assert.ok(last.certificate.notAfter * 1000 <= at(end).getTime())
    assert.deepEqual(await ca(end), [first, second])
    assert.deepEqual(await ca(end + 1), [second])
    const phases = (await admin('GET nebula/authorities', end + 1)).authorities.map(({ phase }) => phase)
    assert.deepEqual(phases, ['ended', 'issuing'])
  })

  test('what was allowed to last longer once is waited for', async () => {
    const { store } = await open()
    const { admin } = await open(store, { longestHours: 24 })
    const { authorities } = await admin('POST nebula/rotate', 0)
    assert.equal(authorities[0]!.trustedUntil, at(50 * hour + 60).toISOString())
    const longer = await open(new MemorySecretStore(), { longestHours: 1 })
    const after = await open(longer.store, { longestHours: 72 })
    const [told] = (await after.admin('POST nebula/rotate', 0)).authorities
    assert.equal(told!.trustedUntil, at(74 * hour + 60).toISOString())
  })

  test('another follows by itself, early enough for the longest credential', async () => {
    const { ca, credential, store } = await open()
    const lastMoment = 10 * day - 48 * hour - 2 * hour
    assert.equal((await ca(lastMoment)).length, 1)
    assert.equal((await ca(lastMoment + 1)).length, 2)
    const again = await open(store)
    const [first, second] = await again.ca(lastMoment + 2)
    const { certificate } = await credential({ name: 'web', duration: '48h' }, lastMoment + 1)
    verifyNebulaCertificate(certificate, [first!], at(lastMoment + 1))
    const later = lastMoment + 1 + 2 * hour
    verifyNebulaCertificate(
      (await credential({ name: 'db', duration: '48h' }, later)).certificate,
      [second!],
      at(later),
    )
  })

  test('after a long sleep one issues at once; a clock that is set back finds the old one again', async () => {
    const { ca, credential } = await open()
    const [first] = await ca(0)
    const { certificate, trusted } = await credential({ name: 'web' }, 100 * day)
    verifyNebulaCertificate(certificate, trusted, at(100 * day))
    assert.equal(trusted.length, 1)
    const back = await credential({ name: 'db' }, 10)
    assert.equal(verifyNebulaCertificate(back.certificate, [first!], at(10)), first)
    // Of the name that was taken in that future its holder gets a certificate that counts now.
    const web = await credential({ name: 'web' }, 20)
    verifyNebulaCertificate(web.certificate, [first!], at(20))
    assert.ok(web.certificate.notAfter * 1000 <= at(20 + 48 * hour).getTime())
    // Before its first authority began there is nothing to issue with.
    await assert.rejects(credential({ name: 'early', duration: '1h' }, -day), refused('NEBULA_TERMS_INVALID'))
  })

  test('one that an admin removes is not trusted any longer, and another issues at once', async () => {
    const { admin, ca, credential } = await open()
    const { fingerprint } = (await admin('GET nebula/authorities', 0)).authorities[0]!
    await assert.rejects(admin('DELETE nebula/authorities/00', 1), refused('NEBULA_AUTHORITY_NOT_FOUND'))
    await admin('POST nebula/rotate', 1)
    const [, announced] = await ca(1)
    await admin(`DELETE nebula/authorities/${fingerprint}`, 2)
    assert.deepEqual(await ca(2), [announced])
    verifyNebulaCertificate((await credential({ name: 'web' }, 2)).certificate, [announced!], at(2))
    const [only] = (await admin('GET nebula/authorities', 3)).authorities
    await admin(`DELETE nebula/authorities/${only!.fingerprint}`, 3)
    const [fresh, ...none] = await ca(3)
    assert.deepEqual(none, [])
    assert.notDeepEqual(fresh, announced)
    verifyNebulaCertificate((await credential({ name: 'web' }, 3)).certificate, [fresh!], at(3))
  })

  test('there are never more than the limit, and the ones that ended make room', async () => {
    const { admin } = await open(undefined, { announceHours: 0 })
    for (let i = 1; i < leaseLimits.authorities; i++) await admin('POST nebula/rotate', i)
    await assert.rejects(admin('POST nebula/rotate', 100), refused('NEBULA_ROTATION_PENDING'))
    const { authorities } = await admin('POST nebula/rotate', 5 * day)
    assert.equal(authorities.length, leaseLimits.authorities)
    assert.equal(authorities.at(-1)!.phase, 'issuing')
  })

  test('a state that is no list of authorities is refused, and nothing of it is told', async () => {
    const { store } = await open()
    const [key] = [...store.entries.keys()].filter((name) => name.startsWith('nebula/authorities'))
    const good = Buffer.from(store.entries.get(key!)!.value).toString()
    assert.deepEqual(
      Buffer.from(formatAuthorities(await parseAuthorities(Buffer.from(good)))).toString(),
      good,
    )
    const secret = /PRIVATE KEY-----\\n([^\\]{10})/.exec(good)![1]!
    const bad = [
      '',
      '{}',
      '{"version":1,"authorities":[]}',
      good.replace('"version":1', '"version":2'),
      good.replace('"issues"', '"issued"'),
      good.replace(secret, 'AAAAAAAAAA'),
      good.slice(0, -5),
    ]
    for (const text of bad) {
      await assert.rejects(parseAuthorities(Buffer.from(text)), (error: unknown) => {
        assert.ok(isFailure(error, 'NEBULA_STATE_INVALID'))
        assert.ok(!`${error.stack} ${JSON.stringify(error)} ${error.cause}`.includes(secret))
        return true
      })
    }
    store.entries.set(key!, { value: Buffer.from('{}'), revision: 'x' })
    await assert.rejects(open(store), refused('NEBULA_STATE_INVALID'))
  })

  test('a configuration that cannot work is refused', async () => {
    const bad: Partial<NebulaConfiguration>[] = [
      { pool: { range: '10.0.0.0' } },
      { pool: { range: 'x/24' } },
      { pool: { range: '10.0.0.0/24', exclude: ['10.0.1.1'] } },
      { pool: { range: '10.0.0.0/24', exclude: ['10.0.0.0/24'] } },
      { version: 1, pool: { range: 'fd00::/64' } },
      { networks: ['10.1.0.0/16'] },
      { longestHours: 9000, authorityDays: 3650 },
      { longestHours: 0 },
      { defaultHours: Number.NaN },
      { announceHours: -1 },
      { authorityDays: 3, longestHours: 48 },
    ]
    for (const more of bad) {
      const store = new MemorySecretStore()
      await assert.rejects(open(store, more), refused('NEBULA_CONFIGURATION_INVALID'), JSON.stringify(more))
      assert.equal(store.entries.size, 0)
    }
    const { credential } = await open(undefined, { pool: { range: 'fd00::/64' } })
    assert.equal((await credential({ name: 'six' })).certificate.version, 2)
  })
})

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
      refused('NEBULA_REQUEST_INVALID'),
    )
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
