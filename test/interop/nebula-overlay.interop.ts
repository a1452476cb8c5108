// Real Nebula nodes (1.10 and Debian's 1.6), each an attested guest that has its identity from the broker over HTTP.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { type GuestClient, generateTeeKey, guestClient, type TeeKeyPair } from '#attestation/index.ts'
import { isFailure } from '#base/index.ts'
import { adminToken } from '#broker/index.ts'
import { makeNodeKey, nodePrivateKeyPem, parseNebulaPem, proveNodeKey } from '#broker/nebula/index.ts'
import { startBrokerServer } from '#server/index.ts'
import { brokerScene } from '../support/broker-scene.ts'
import { type NebulaNode, noOverlay, Underlay } from './overlay.ts'
import { needs } from './peers.ts'
import { Workbench } from './workbench.ts'

const bench = new Workbench()
after(() => bench[Symbol.asyncDispose]())

/** A name and an address are for the guest whose init-data say so. */
const policy = `package policy
import rego.v1
default allow := false
node := input.submods.cpu0["ear.veraison.annotated-evidence"].init_data_claims
allow if {
  data.plugin == "nebula-ca"
  data.request.nebula.name == node["node.name"]
  data.request.nebula.address == node["node.ip"]
}
`

/** A broker that listens, with a resource policy that ties nodes to their init-data. */
async function startBroker(nebula: string) {
  const scene = await brokerScene(
    (yaml) => `${yaml.replaceAll(/listen: 127\.0\.0\.1:\d+/g, 'listen: 127.0.0.1:0')}\nnebula: ${nebula}\n`,
  )
  bench.onClose(async () => scene[Symbol.asyncDispose]())
  const { configuration } = scene.broker
  const server = await startBrokerServer({ ...scene, configuration, log: () => {} })
  bench.onClose(async () => server[Symbol.asyncDispose]())

  const admin = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const token = adminToken({ privateKey: scene.ownerKey, audience: configuration.issuer })
    const response = await fetch(`${server.adminUrl}/admin/v1/${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    assert.equal(response.status, 200, text)
    return JSON.parse(text) as T
  }
  await admin('PUT', 'policies/resource', { files: [{ path: 'policy.rego', text: policy }] })
  const look = async (name: string) => {
    const response = await fetch(`${server.guestUrl}/kbs/v0/nebula-ca/${name}`)
    assert.equal(response.status, 200)
    return await response.text()
  }
  return { url: server.guestUrl, admin, look }
}

type Broker = Awaited<ReturnType<typeof startBroker>>

/** A guest whose init-data name a node, and the node that it runs. */
class Guest {
  readonly name: string
  readonly address: string
  readonly node: NebulaNode
  readonly client: GuestClient
  readonly #broker: Broker
  readonly #keyPair: TeeKeyPair

  private constructor(broker: Broker, node: NebulaNode, address: string, keyPair: TeeKeyPair) {
    const body = `version = "0.1.0"\nalgorithm = "sha256"\n[data]\n"node.name" = "${node.name}"\n"node.ip" = "${address}"\n`
    const initData = { format: 'toml', body } as const
    this.name = node.name
    this.address = address
    this.node = node
    this.client = guestClient({ url: broker.url, keyPair, initData, fetch })
    this.#broker = broker
    this.#keyPair = keyPair
  }

  static async start(broker: Broker, node: NebulaNode, address: string): Promise<Guest> {
    return new Guest(broker, node, address, await generateTeeKey('P-256'))
  }

  async ask(query: Readonly<Record<string, string>>) {
    const bytes = await this.client.get(`nebula-ca/credential?${new URLSearchParams(query)}`)
    const fields = JSON.parse(Buffer.from(bytes).toString()) as Record<string, number[]>
    const read = (field: string) => Buffer.from(fields[field] ?? []).toString()
    return { certificate: read('node_crt'), key: read('node_key'), authorities: read('ca_crt') }
  }

  /** As Trustee's clients ask: the broker makes the node's key. */
  async getIdentity(more: Readonly<Record<string, string>> = {}): Promise<void> {
    const { name, address, node } = this
    const length = address.includes(':') ? 64 : 24
    node.setIdentity(await this.ask({ name, ip: `${address}/${length}`, duration: '24h', ...more }))
  }

  /** With a key that is made here, and never leaves. */
  async getIdentityForOwnKey(curve: 'CURVE25519' | 'P256'): Promise<void> {
    const key = makeNodeKey(curve)
    const publicKey = Buffer.from(key.publicKey).toString('base64url')
    const query = { name: this.name, ip: this.address, 'public-key': publicKey }
    const authority = curve === 'P256' ? undefined : JSON.parse(await this.#broker.look('possession-key'))
    const signature = proveNodeKey(key, query, { ...this.#keyPair.jwk }, authority)
    const told = await this.ask({ ...query, signature })
    assert.equal(told.key, '')
    this.node.setIdentity({ ...told, key: nodePrivateKeyPem(key) })
  }
}

async function allReach(guests: readonly Guest[]): Promise<void> {
  for (const { node } of guests)
    for (const { address } of guests.filter((other) => other.node !== node)) await node.untilReaches(address)
}

const { skip } = needs('nebula', 'nebula-1.6', 'ip', 'busybox')

describe('overlays of real Nebula nodes', { skip: skip || noOverlay() || false }, () => {
  test('three guests reach each other, through a rotation of authorities, and one that is revoked does not', async () => {
    const broker = await startBroker('{ name: overlay, pool: { range: 10.77.0.0/24 }, announceHours: 0 }')
    const underlay = await Underlay.open(bench, 'one')
    const a = await Guest.start(broker, await underlay.node('a', 'nebula'), '10.77.0.11')
    const b = await Guest.start(broker, await underlay.node('b', 'nebula'), '10.77.0.12')
    const c = await Guest.start(broker, await underlay.node('c', 'nebula-1.6'), '10.77.0.13')
    const lighthouse = { node: a.node, address: a.address }
    await a.getIdentityForOwnKey('CURVE25519')
    await a.node.start()
    for (const guest of [b, c]) {
      await guest.getIdentity()
      await guest.node.start(lighthouse)
    }
    await allReach([a, b, c])

    // Nobody gets what is another's by its init-data, or what nobody gave it.
    const refused = (error: unknown) => isFailure(error, 'RCAR_REFUSED') && error.detail.status === 403
    await assert.rejects(c.ask({ name: 'b', ip: b.address }), refused)
    await assert.rejects(c.ask({ name: 'c', ip: '10.77.0.99' }), refused)

    // The next authority: those with its certificates and those with older ones talk, as both are trusted.
    await broker.admin('POST', 'nebula/rotate')
    const authorities = await broker.look('ca')
    const [, next] = parseNebulaPem(authorities)
    for (const { node } of [a, c]) {
      node.setAuthorities(authorities)
      await node.reload()
    }
    await b.getIdentity()
    await b.node.stop()
    await b.node.start(lighthouse)
    await allReach([a, b, c])
    assert.match(c.node.log, /Trusted CA certificates refreshed/)

    // Revoked: the others take the list, as the broker gives it, for a part of their configuration.
    const { leases } = await broker.admin<{ leases: { name: string; holder: string }[] }>('GET', 'leases')
    assert.deepEqual(leases.map(({ name }) => name).sort(), ['a', 'b', 'c'])
    const { holder } = leases.find(({ name }) => name === 'b')!
    await broker.admin('PUT', `nebula/holders/${holder}`, { reason: 'a test' })
    const blocklist = await broker.look('blocklist')
    for (const { node } of [a, c]) {
      node.setBlocklist(blocklist)
      await node.reload()
    }
    for (const other of [a, c]) {
      await b.node.untilReaches(other.address, false)
      await other.node.untilReaches(b.address, false)
    }
    await allReach([a, c])
    for (const { node } of [a, c]) assert.match(node.log, /blocked|in the block list/)
    // It gets no other identity, either.
    await assert.rejects(b.getIdentity(), refused)

    // The first authority is trusted no longer: who has nothing newer is out.
    const { authorities: all } = await broker.admin<{
      authorities: { fingerprint: string; phase: string }[]
    }>('GET', 'nebula/authorities')
    assert.deepEqual(
      all.map(({ phase }) => phase),
      ['trusted', 'issuing'],
    )
    await broker.admin('DELETE', `nebula/authorities/${all[0]!.fingerprint}`)
    const rest = await broker.look('ca')
    assert.deepEqual(parseNebulaPem(rest), [next])
    await a.getIdentityForOwnKey('CURVE25519')
    await a.node.reload()
    await c.node.untilReaches(a.address, false)
    await c.getIdentity()
    await c.node.stop()
    await c.node.start(lighthouse)
    await allReach([a, c])
  })

  test('certificates of version 2 on P-256 with IPv6, the node’s key its own', async () => {
    const broker = await startBroker(
      '{ name: six, curve: P256, pool: { range: "fd77::/64" }, announceHours: 0 }',
    )
    const underlay = await Underlay.open(bench, 'two')
    const a = await Guest.start(broker, await underlay.node('a', 'nebula'), 'fd77::a')
    const b = await Guest.start(broker, await underlay.node('b', 'nebula'), 'fd77::b')
    await a.getIdentityForOwnKey('P256')
    await a.node.start()
    await b.getIdentity()
    await b.node.start({ node: a.node, address: a.address })
    await allReach([a, b])
    await broker.admin('DELETE', 'leases/b')
    a.node.setBlocklist(await broker.look('blocklist'))
    await a.node.reload()
    await b.node.untilReaches(a.address, false)
    assert.match(a.node.log, /in the block list/)
  })
})
