import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Json } from '#base/index.ts'
import { compilePolicy, decide, loadEngine, type Policy, parseTrustPolicy } from '#policy/index.ts'
import { findPeer } from '../../test/interop/peers.ts'
import { cost, median } from '../measure.ts'
import type { Setting } from '../setting.ts'

const containers = 20
const decisions = 10_000
const at = new Date('2026-05-01T12:00:00Z')

/** Every image under one prefix, each with a signature by one key: the same question in Rego and in the small form. */
const rego = `package sealift

decision := {"allow": count(unsigned) == 0, "reasons": reasons}

unsigned contains s.subject.digest if {
	some s in input.subjects
	not is_signed(s)
}

is_signed(s) if {
	startswith(s.subject.reference, "registry.example/shop/")
	some p in s.signatures
	p.signer.name == "release"
	p.signer.kind == "key"
}

reasons := [{"code": "UNSIGNED", "message": digest} | some digest in unsigned]
`
const yaml = `apiVersion: sealift.dev/v1
kind: TrustPolicy
name: shop
keys: { release: { file: release.pub } }
rules:
  - content: registry.example/shop/**
    signatures: [{ from: [{ key: release }] }]
`

/** Decisions: the engine's start, one question again and again, and a replay. */
export async function policyGroup({ folder, runs, report }: Setting): Promise<void> {
  report.group(
    'Decisions',
    `May ${containers} containers be let in, each with one good signature by a key: the evidence in, the decision out, JSON parsed on both sides. In Rego of one's own, and as a trust policy in YAML.`,
  )
  const started = performance.now()
  loadEngine()
  const engineMs = performance.now() - started
  const files = [{ path: 'policy.rego', text: rego }]
  const compiling = performance.now()
  const own = compilePolicy(files)
  const compileMs = performance.now() - compiling
  const first = performance.now()
  if (!decide(own, evidence(0), at).allowed) throw new Error('a good pod was refused')
  report.figure('reading and compiling the engine, once', engineMs, 'ms')
  report.figure('compiling a policy, the first one', compileMs, 'ms')
  report.figure('the first decision', performance.now() - first, 'ms')

  const pem = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' })
  const readFile = () => Promise.resolve(Buffer.from(pem))
  const small = (await parseTrustPolicy(yaml, { path: 'policy.yaml', readFile })).policy
  report.figure('a decision, warm: Rego', median(warm(own, runs)), 'ms')
  report.figure('a decision, warm: trust policy in YAML', median(warm(small, runs)), 'ms')

  const replaying = performance.now()
  const count = runs === 1 ? 1000 : decisions
  for (let number = 0; number < count; number++) {
    if (!decide(own, evidence(number), at).allowed) throw new Error('a good pod was refused')
  }
  report.figure(
    `replay of ${count} decisions, each on evidence of its own`,
    performance.now() - replaying,
    'ms',
  )

  const opa = findPeer('opa')
  if (!opa) return report.absent('opa')
  const [policyFile, inputFile] = [join(folder, 'policy.rego'), join(folder, 'input.json')]
  writeFileSync(policyFile, rego)
  writeFileSync(inputFile, JSON.stringify(evidence(0)))
  const command = [opa, 'eval', '-d', policyFile, '-i', inputFile, 'data.sealift.decision']
  const walls: number[] = []
  for (let run = 0; run < runs; run++) walls.push((await cost([command])).wallMs)
  report.figure('opa eval, as a process', median(walls), 'ms')
}

function warm(policy: Policy, runs: number): number[] {
  const input = evidence(0)
  for (let time = 0; time < 500; time++) decide(policy, input, at)
  return Array.from({ length: runs * 3 }, () => {
    const begun = performance.now()
    for (let time = 0; time < 200; time++) decide(policy, input, at)
    return (performance.now() - begun) / 200
  })
}

function evidence(number: number): Json {
  const digest = (of: number) => `sha256:${(number * 1000 + of).toString(16).padStart(64, '0')}`
  return {
    action: 'admit',
    environment: 'production',
    principal: { kind: 'user', name: 'somebody', groups: [], roles: [] },
    subjects: Array.from({ length: containers }, (_, index) => ({
      subject: {
        digest: digest(index),
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        reference: `registry.example/shop/part-${index}`,
      },
      signatures: [
        {
          form: 'bundle',
          digest: digest(500 + index),
          subject: digest(index),
          signer: { kind: 'key', keyId: 'ab'.repeat(32), name: 'release' },
          checks: ['signature', 'subject', 'key-trusted'],
          predicateType: 'https://sigstore.dev/cosign/sign/v1',
        },
      ],
      attestations: [],
      refused: [],
    })),
    context: null,
  }
}
