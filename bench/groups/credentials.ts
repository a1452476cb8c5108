import { generateTeeKey } from '../../src/attestation/index.ts'
import type { Caller, Plugin } from '../../src/broker/index.ts'
import { openPki } from '../../src/broker/index.ts'
import { openNebula } from '../../src/broker/nebula/index.ts'
import { MemorySecretStore, newKeyring, sealedStore } from '../../src/broker/stores/index.ts'
import type { Setting } from '../setting.ts'

const never = new AbortController().signal

/** What the broker issues: each to a guest of its own, recorded and leased in a sealed state in memory. */
export async function credentialsGroup({ runs, report }: Setting): Promise<void> {
  report.group(
    'Certificates from the key broker',
    'Nebula credentials and X.509 certificates, the keys made here, each for a guest of its own with a name of its own: leased, recorded in a sealed state in memory, issued. In process, one after the other.',
  )
  const count = runs === 1 ? 200 : 2000
  const { jwk } = await generateTeeKey('P-256')
  const callerOf = (index: number): Caller => ({
    kind: 'guest',
    teeKey: jwk as never,
    claims: {
      submods: {
        cpu0: {
          'ear.status': 'affirming',
          'ear.veraison.annotated-evidence': { init_data: `guest-${index}` },
        },
      },
    },
  })
  const identity = (caller: Caller) =>
    (caller as unknown as { claims: { submods: { cpu0: Record<string, { init_data: string }> } } }).claims
      .submods.cpu0['ear.veraison.annotated-evidence']!.init_data
  const state = () => sealedStore(new MemorySecretStore(), newKeyring(), { name: 'state' })

  await using nebula = await openNebula(
    state(),
    { name: 'bench', pool: { range: '10.0.0.0/8' } },
    { identity },
  )
  const credential = (index: number) => ({ path: ['credential'], query: { name: `node-${index}` } })
  report.goal(
    'Nebula credentials (Curve25519)',
    await rate(nebula.plugin, callerOf, credential, count),
    'a CPU second',
  )

  const pki = openPki(
    state(),
    {
      trustDomain: 'bench.example',
      profiles: { web: { use: ['client', 'server'], dns: ['*.bench.example'] } },
    },
    { identity },
  )
  const certificate = (index: number) => ({
    path: ['certificate'],
    query: { profile: 'web', dns: `n${index}.bench.example` },
  })
  report.goal(
    'X.509 certificates (P-256)',
    await rate(pki.plugin, callerOf, certificate, count),
    'a CPU second',
  )
}

async function rate(
  plugin: Plugin,
  callerOf: (index: number) => Caller,
  requestOf: (index: number) => {
    readonly path: readonly string[]
    readonly query: Readonly<Record<string, string>>
  },
  count: number,
): Promise<number> {
  const ask = (index: number) =>
    plugin.handle(
      {
        plugin: plugin.name,
        method: 'GET',
        ...requestOf(index),
        body: new Uint8Array(),
        caller: callerOf(index),
      },
      new Date(),
      never,
    )
  for (let index = 0; index < count / 10; index++) await ask(index)
  const begun = process.cpuUsage()
  for (let index = 0; index < count; index++) await ask(count + index)
  const { user, system } = process.cpuUsage(begun)
  return (count * 1e6) / (user + system)
}
