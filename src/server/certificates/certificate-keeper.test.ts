import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { AdmissionEvent } from '../http/admission-log.ts'
import { secretStore } from '../kubernetes/secret-store.ts'
import { webhookBundles } from '../kubernetes/webhook-bundles.ts'
import { CertificateKeeper, type CertificateKeeperOptions } from './certificate-keeper.ts'
import { certificateMaker } from './certificate-maker.ts'
import type { CertificateState, CertificateStore } from './certificate-state.ts'
import { directoryStore } from './directory-store.ts'
import { TestCluster } from './test-cluster.suite.ts'

const hour = 3600_000

class MemoryCertificates implements CertificateStore {
  state: CertificateState | undefined
  version = 0
  async load() {
    return { state: this.state, version: String(this.version) }
  }
  async save(state: CertificateState, version: string) {
    if (version !== String(this.version)) return false
    this.state = state
    this.version++
    return true
  }
}

function setUp(
  options: Partial<CertificateKeeperOptions> = {},
  store: CertificateStore = new MemoryCertificates(),
) {
  let now = Date.parse('2026-11-21T06:00:00Z')
  const events: AdmissionEvent[] = []
  const changes: string[] = []
  const published: string[] = []
  const keeper = new CertificateKeeper({
    store,
    maker: certificateMaker,
    publisher: { publish: async (bundle) => void published.push(bundle) },
    hostnames: ['sealift-admission.sealift-system.svc'],
    addresses: ['127.0.0.1'],
    certificateMs: 24 * hour,
    authorityMs: 240 * hour,
    log: (event) => events.push(event),
    onChange: ({ certificate }) => changes.push(certificate),
    now: () => now,
    ...options,
  })
  const trusted = () => {
    const certificate = new X509Certificate(keeper.serving?.certificate ?? '')
    const authorities = published.at(-1)?.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g) ?? []
    return authorities.some((pem) => certificate.verify(new X509Certificate(pem).publicKey))
  }
  return { keeper, events, changes, published, trusted, pass: (ms: number) => (now += ms), now: () => now }
}

test('the first round makes an authority, tells of it, and issues for all names', async () => {
  const { keeper, changes, published, trusted } = setUp()
  await keeper.round()
  const certificate = new X509Certificate(keeper.serving?.certificate ?? '')
  assert.equal(
    certificate.checkHost('sealift-admission.sealift-system.svc'),
    'sealift-admission.sealift-system.svc',
  )
  assert.equal(certificate.checkIP('127.0.0.1'), '127.0.0.1')
  assert.equal(certificate.ca, false)
  assert.deepEqual(published, [keeper.bundle])
  assert.equal(changes.length, 1)
  assert.ok(trusted())
  await keeper.round()
  assert.equal(changes.length, 1, 'nothing is due')
})

test('a certificate is issued anew when a third of its life is left', async () => {
  const { keeper, changes, pass } = setUp()
  await keeper.round()
  pass(16 * hour - 1000)
  await keeper.round()
  assert.equal(changes.length, 1)
  pass(2000)
  await keeper.round()
  assert.equal(changes.length, 2)
})

test('through years of rounds there is never a certificate that has ended or is not trusted by what was told', async () => {
  const { keeper, trusted, pass, now, published } = setUp()
  await keeper.round()
  for (let at = 0; at < 400; at++) {
    const before = keeper.serving
    pass(3 * hour)
    assert.ok(trusted(), 'what is served before the round')
    await keeper.round()
    assert.ok(trusted())
    assert.ok((keeper.until?.getTime() ?? 0) > now())
    assert.ok((published.at(-1)?.match(/BEGIN/g)?.length ?? 0) <= 2, 'ended authorities go')
    // A certificate of a new authority is never served in the round that first tells of it.
    if (keeper.serving !== before) assert.ok(published.at(-2)?.includes(firstOf(published.at(-1))) ?? true)
  }
})
const firstOf = (bundle = '') => bundle.slice(0, bundle.indexOf('-----END'))

test('where the API server cannot be told, what is served stays until it can', async () => {
  let down = false
  const { keeper, events, pass } = setUp({
    publisher: {
      publish: async () => {
        if (down) throw new Error('unreachable')
      },
    },
  })
  await keeper.round()
  const first = keeper.serving
  down = true
  pass(20 * hour)
  await keeper.round()
  assert.equal(keeper.serving, first)
  assert.ok(events.some((event) => event.event === 'certificate' && event.level === 'error'))
  down = false
  await keeper.round()
  assert.notEqual(keeper.serving?.certificate, first?.certificate)
})

test('replicas agree on one authority and one certificate, whoever is first', async () => {
  const store = new MemoryCertificates()
  const replicas = [setUp({}, store), setUp({}, store), setUp({}, store)]
  await Promise.all(replicas.map(({ keeper }) => keeper.round()))
  await Promise.all(replicas.map(({ keeper }) => keeper.round()))
  const serving = new Set(replicas.map(({ keeper }) => keeper.serving?.certificate))
  assert.equal(serving.size, 1)
  assert.equal(new Set(replicas.map(({ keeper }) => keeper.bundle)).size, 1)
})

test('after all were away for longer than a certificate or an authority lasts, one round is enough', async () => {
  for (const away of [25 * hour, 241 * hour]) {
    const store = new MemoryCertificates()
    await setUp({}, store).keeper.round()
    const { keeper, trusted, pass, now } = setUp({}, store)
    pass(away)
    await keeper.round()
    assert.ok((keeper.until?.getTime() ?? 0) > now())
    assert.ok(trusted())
  }
})

test('another name is issued for at once', async () => {
  const store = new MemoryCertificates()
  await setUp({}, store).keeper.round()
  const moved = setUp({ addresses: ['10.0.0.7'] }, store)
  await moved.keeper.round()
  assert.equal(new X509Certificate(moved.keeper.serving?.certificate ?? '').checkIP('10.0.0.7'), '10.0.0.7')
})

test('the state outlives the process in a directory; what is damaged is not used', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'sealift-'))
  context.after(() => rmSync(folder, { recursive: true }))
  const state = join(folder, 'certificates')
  const first = setUp({}, directoryStore(state))
  await first.keeper.round()
  const second = setUp({}, directoryStore(state))
  await second.keeper.round()
  assert.equal(second.keeper.serving?.certificate, first.keeper.serving?.certificate)
  assert.equal(readFileSync(join(state, 'ca-bundle.crt'), 'utf8'), first.keeper.bundle)
  for (const text of ['', '{}', '[]', '{"authority":{"certificate":"x","key":"y"}}', '{"a":1,"a":2}']) {
    writeFileSync(join(state, 'certificates.json'), text)
    await assert.rejects(directoryStore(state).load(), { code: 'CERTIFICATE_STATE_INVALID' }, text)
  }
})

test('in a cluster: one Secret for all, the bundle in both configurations, by compare-and-set', async () => {
  const cluster = new TestCluster()
  cluster.secrets.set('system/tls', { data: {}, version: '1' })
  cluster.add('ValidatingWebhookConfiguration', 'sealift', 2)
  cluster.add('MutatingWebhookConfiguration', 'sealift', 1)
  const make = () =>
    setUp({ publisher: webhookBundles(cluster, 'sealift') }, secretStore(cluster, 'system', 'tls'))
  const [one, two] = [make(), make()]
  // Somebody else writes between the reading and the writing, once for each thing.
  cluster.interfere = 3
  await Promise.all([one.keeper.round(), two.keeper.round()])
  await Promise.all([one.keeper.round(), two.keeper.round()])
  assert.equal(one.keeper.serving?.certificate, two.keeper.serving?.certificate)
  for (const { bundles } of cluster.configurations.values()) {
    for (const bundle of bundles) assert.equal(bundle, one.keeper.bundle)
  }
  assert.equal(cluster.secrets.get('system/tls')?.data['ca.crt'], one.keeper.bundle)
  const writes = cluster.writes
  await one.keeper.round()
  assert.equal(cluster.writes, writes, 'nothing is written where nothing changed')
  await assert.rejects(webhookBundles(cluster, 'other').publish('x'), { code: 'KUBERNETES_API' })
})
