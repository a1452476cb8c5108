import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { digestOf } from '#oci/index.ts'
import {
  formatStatement,
  imageSignatureType,
  judge,
  prepareTrust,
  proofOf,
  sealMessage,
  sealStatement,
} from '#trust/index.ts'
import { findPeer } from '../../test/interop/peers.ts'
import { sigstoreVerifier } from '../../test/support/sigstore-oracle.ts'
import { identity, issuer, keyHolder, sigstoreWorld } from '../../test/support/sigstore-world.ts'
import { type Cost, cost, median } from '../measure.ts'
import type { Setting } from '../setting.ts'

const rounds = 1000

/** Who signed: one bundle, its bytes in and the facts out, offline. */
export async function verifyGroup({ folder, runs, report }: Setting): Promise<void> {
  report.group(
    'Signatures',
    'One Sigstore bundle judged offline: its bytes in, the facts out, the trust material prepared before. In process, warm; and as a process from its start to its end.',
  )
  const world = await sigstoreWorld()
  const bytes = Buffer.from('content')
  const digest = digestOf(bytes)
  const { signatory, pem } = keyHolder()
  const statement = formatStatement([{ digest }], imageSignatureType)
  const byKey = (await sealStatement(statement, { signatory, witnesses: [] })).bundle
  const rekor1 = await world.statement(digest, 1)
  const rekor2 = await world.statement(digest, 2)
  const trust = prepareTrust({
    keys: [{ name: 'ours', pem }],
    roots: [{ name: 'world', root: world.trustedRoot }],
  })
  const at = new Date()
  const ours = (bundle: Uint8Array) => () => judge(proofOf('bundle', bundle), { digest, bytes }, trust, at)
  report.figure('by a key', eachMs(ours(byKey), runs), 'ms', 0.5)
  const library = sigstoreVerifier(world.trustedRoot)
  for (const [name, bundle] of [
    ['by a certificate, logged by Rekor 1 (promise and proof)', rekor1],
    ['by a certificate, logged by Rekor 2, with a time stamp', rekor2],
  ] as const) {
    const oursMs = eachMs(ours(bundle), runs)
    const theirsMs = eachMs(() => {
      const why = library(bundle, bytes)
      if (why !== undefined) throw new Error(why)
    }, runs)
    report.figure(name, oursMs, 'ms', 3)
    report.rate(
      'the same, one after the other',
      1000 / oursMs,
      '@sigstore/verify',
      1000 / theirsMs,
      'bundles/s',
      1,
    )
  }
  await processes(folder, runs, report, {
    world,
    pem,
    byKey: await sealMessage(bytes, { signatory, witnesses: [] }),
    byCertificate: await world.message(bytes, 1),
    bytes,
  })
}

/** Milliseconds of one, warm. */
function eachMs(one: () => unknown, runs: number): number {
  for (let round = 0; round < rounds; round++) one()
  const times = Array.from({ length: runs }, () => {
    const begun = performance.now()
    for (let round = 0; round < rounds; round++) one()
    return (performance.now() - begun) / rounds
  })
  return median(times)
}

async function processes(
  folder: string,
  runs: number,
  report: Setting['report'],
  made: {
    readonly world: { readonly trustedRoot: object }
    readonly pem: string
    readonly byKey: Uint8Array
    readonly byCertificate: Uint8Array
    readonly bytes: Uint8Array
  },
): Promise<void> {
  const write = (name: string, content: string | Uint8Array): string => {
    writeFileSync(join(folder, name), content)
    return join(folder, name)
  }
  const file = write('content', made.bytes)
  const root = write('verify-root.json', JSON.stringify(made.world.trustedRoot))
  const byKey = ['--key', write('verify.pub', made.pem), '--bundle', write('by-key.json', made.byKey)]
  const byCertificate = [
    ...['--bundle', write('by-certificate.json', made.byCertificate)],
    ...['--certificate-identity', identity, '--certificate-oidc-issuer', issuer, '--trusted-root', root],
  ]
  const client = join(import.meta.dirname, '../../bin/sigstore-conformance-client')
  const cosign = findPeer('cosign')
  for (const [name, flags, more] of [
    ['by a key', byKey, ['--private-infrastructure']],
    ['by a certificate', byCertificate, []],
  ] as const) {
    const timed = async (command: readonly string[]): Promise<Cost> => {
      await cost([command])
      const costs: Cost[] = []
      for (let run = 0; run < runs; run++) costs.push(await cost([command]))
      const middle = (part: keyof Cost) => median(costs.map((one) => one[part]))
      return { wallMs: middle('wallMs'), cpuMs: middle('cpuMs'), peakBytes: middle('peakBytes') }
    }
    const whole = await timed([client, 'verify-bundle', ...flags, file])
    if (!cosign) {
      report.absent('cosign')
      report.cost(`a process, ${name}`, 'sealift', whole)
    } else {
      const command = [cosign, 'verify-blob', '--offline', ...flags, ...more, file]
      report.compare(`a process, ${name}`, whole, { cosign: await timed(command) }, {})
    }
  }
}
