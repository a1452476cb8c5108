import { generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import {
  ContentGate,
  KnownReleases,
  openAudit,
  prepareRules,
  type Question,
  releaseDirectory,
  replay,
} from '#gate/index.ts'
import { mediaTypes } from '#oci/index.ts'
import { contentDigest, policyOf, testSigner } from '../../test/support/signed-content.ts'
import type { Setting } from '../setting.ts'

const contents = 20
const { signal } = new AbortController()

/** The whole gate: proofs judged, decided, recorded durably; and all of it again from what was kept. */
export async function gateGroup({ folder, runs, report }: Setting): Promise<void> {
  const decisions = runs > 1 ? 10_000 : 1000
  report.group(
    'The gate',
    `May ${contents} contents be installed, each with a signature by a key and an attestation: proofs judged, decided, recorded with fsync; then replayed from the audit folder. ${decisions} questions of as many askers, 64 at a time.`,
  )
  const vendor = await testSigner()
  const subjects = await Promise.all(
    Array.from({ length: contents }, async (_, number) => {
      const digest = contentDigest(`image ${number}`)
      const reference = `registry.example/shop/image-${number}:1`
      const proofs = await Promise.all([
        vendor.prove(digest),
        vendor.prove(digest, 'https://example.com/review/v1', {}),
      ])
      return { digest, mediaType: mediaTypes.ociManifest, reference, proofs }
    }),
  )
  const { policy, ...material } = await policyOf({
    keys: { vendor: { pem: vendor.pem } },
    rules: [
      {
        content: 'registry.example/shop/**',
        signatures: [{ from: [{ key: 'vendor' }] }],
        attestations: [{ type: 'https://example.com/review/v1', from: [{ key: 'vendor' }] }],
      },
    ],
  })
  const rules = prepareRules({ policy, material })
  const directory = join(folder, 'gate-audit')
  const { privateKey: key } = generateKeyPairSync('ed25519')
  await using audit = await openAudit({ directory, origin: 'bench/audit', key })
  const gate = new ContentGate({
    rules: () => rules,
    audit,
    releases: new KnownReleases(releaseDirectory(join(directory, 'releases'))),
  })
  const question = (asker: string): Question => ({
    action: 'install',
    environment: 'production',
    principal: { kind: 'user', name: asker },
    subjects,
  })
  const cold = performance.now()
  await admitted(gate, question('first'))
  report.figure('the first question: proofs judged, everything kept', performance.now() - cold, 'ms')
  const same = performance.now()
  for (let round = 0; round < 50; round++) await admitted(gate, question('first'))
  report.figure(
    'the same question again, one after the other, with fsync',
    (performance.now() - same) / 50,
    'ms',
  )
  const begun = performance.now()
  for (let done = 0; done < decisions; done += 64) {
    const group = Array.from({ length: Math.min(64, decisions - done) }, (_, at) => `asker ${done + at}`)
    await Promise.all(group.map((asker) => admitted(gate, question(asker))))
  }
  report.figure(
    'another asker, 64 at a time, with group commit',
    (performance.now() - begun) / decisions,
    'ms',
  )
  const replaying = performance.now()
  let replayed = 0
  for await (const { differences } of replay(audit)) {
    if (differences.length > 0) throw new Error(differences.map(({ what }) => what).join('; '))
    replayed++
  }
  const replayMs = performance.now() - replaying
  report.figure(`replay of ${replayed} decisions, from the folder`, replayMs, 'ms')
}

async function admitted(gate: ContentGate, question: Question): Promise<void> {
  const { allowed, reasons } = await gate.ask(question, signal)
  if (!allowed) throw new Error(reasons.map(({ message }) => message).join('; '))
}
