// Three real Nebula nodes (two of 1.10, one of Debian's 1.6), each an attested guest with its identity from the broker.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { openNebula } from '#broker/nebula/index.ts'
import { MemorySecretStore } from '../support/memory-secret-store.ts'
import { type Identity, type NebulaNode, noOverlay, Underlay } from './overlay.ts'
import { needs } from './peers.ts'
import { Workbench } from './workbench.ts'

const bench = new Workbench()
after(() => bench[Symbol.asyncDispose]())

const { skip } = needs('nebula', 'nebula-1.6', 'ip', 'busybox')

describe('an overlay of real Nebula nodes', { skip: skip || noOverlay() || false }, () => {
  const nodes = new Map<string, NebulaNode>()
  const addresses = { a: '10.77.0.11', b: '10.77.0.12', c: '10.77.0.13' } as const
  let nebula: Awaited<ReturnType<typeof openNebula>>
  const signal = new AbortController().signal
  const identityFor = async (name: keyof typeof addresses): Promise<Identity> => {
    const { body } = await nebula.plugin.handle(
      {
        plugin: 'nebula-ca',
        method: 'GET',
        path: ['credential'],
        query: { name, ip: addresses[name] },
        body: Buffer.of(),
        caller: { kind: 'guest', claims: { name }, teeKey: {} },
      },
      new Date(),
      signal,
    )
    const fields = JSON.parse(Buffer.from(body).toString()) as Record<string, number[]>
    const read = (field: string) => Buffer.from(fields[field]!).toString()
    return {
      certificate: read('node_crt'),
      key: read('node_key'),
      authorities: read('ca_crt'),
      address: addresses[name],
    }
  }
  const fetch = async (path: string) =>
    Buffer.from(
      (
        await nebula.plugin.handle(
          {
            plugin: 'nebula-ca',
            method: 'GET',
            path: [path],
            query: {},
            body: Buffer.of(),
            caller: { kind: 'anonymous' },
          },
          new Date(),
          signal,
        )
      ).body,
    ).toString()
  const node = (name: keyof typeof addresses) => nodes.get(name)!

  before(async () => {
    nebula = await openNebula(
      new MemorySecretStore(),
      { name: 'overlay', pool: { range: '10.77.0.0/24' }, announceHours: 0 },
      {
        identity: (caller) =>
          caller.kind === 'guest' ? (caller.claims as { name: string }).name : undefined,
      },
    )
    const underlay = await Underlay.open(bench)
    for (const name of ['a', 'b', 'c'] as const) {
      nodes.set(name, await underlay.node(name, name === 'c' ? 'nebula-1.6' : 'nebula'))
      node(name).setIdentity(await identityFor(name))
      await node(name).start(name === 'a' ? undefined : { node: node('a'), address: addresses.a })
    }
  })

  test('all reach each other', async () => {
    for (const from of ['a', 'b', 'c'] as const)
      for (const to of ['a', 'b', 'c'] as const) if (from !== to) await node(from).untilReaches(addresses[to])
  })

  test('while one authority follows another an old and a new certificate talk', async () => {
    await nebula.authorities.rotate(new Date())
    const authorities = await fetch('ca')
    assert.equal(authorities.match(/BEGIN/g)?.length, 2)
    for (const name of ['a', 'c'] as const) {
      node(name).setAuthorities(authorities)
      await node(name).reload()
    }
    const before = await identityFor('b')
    node('b').setIdentity(before)
    await node('b').stop()
    await node('b').start({ node: node('a'), address: addresses.a })
    for (const name of ['a', 'c'] as const) {
      await node('b').untilReaches(addresses[name])
      await node(name).untilReaches(addresses.b)
    }
  })

  test('one that is revoked no longer reaches the others', async () => {
    await nebula.leases.revokeHolder('b', '', new Date())
    const blocklist = await fetch('blocklist')
    for (const name of ['a', 'c'] as const) {
      node(name).setBlocklist(blocklist)
      await node(name).reload()
    }
    for (const name of ['a', 'c'] as const) {
      await node('b').untilReaches(addresses[name], false)
      await node(name).untilReaches(addresses.b, false)
    }
    console.log(node('a').log, node('c').log)
    assert.ok(await node('a').reaches(addresses.c))
  })
})
