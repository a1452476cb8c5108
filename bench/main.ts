// `npm run bench`: Sealift beside its peers in one run on one machine: medians, ratios, peers named.
//   --short   a tenth of the corpus and one run of each, for CI
//   --gate    exits non-zero where a ratio falls short
//   --write   writes docs/benchmarks.md
//   --only X  only the groups whose name holds X
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { makeCorpus } from './corpus.ts'
import { admissionGroup } from './groups/admission.ts'
import { attestationGroup } from './groups/attestation.ts'
import { brokerGroup } from './groups/broker.ts'
import { brokerHttpGroup } from './groups/broker-http.ts'
import { brokerSessionsGroup } from './groups/broker-sessions.ts'
import { credentialsGroup } from './groups/credentials.ts'
import { gateGroup } from './groups/gate.ts'
import { logGroup } from './groups/log.ts'
import { packGroup } from './groups/pack.ts'
import { policyGroup } from './groups/policy.ts'
import { pushGroup } from './groups/push.ts'
import { registryGroup } from './groups/registry.ts'
import { serveGroup } from './groups/serve.ts'
import { startGroup } from './groups/start.ts'
import { verifyGroup } from './groups/verify.ts'
import { Report } from './report.ts'
import type { Setting } from './setting.ts'

const { values } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    gate: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
  },
})

const folder = mkdtempSync(join(process.env.SEALIFT_BENCH_DIR ?? tmpdir(), 'sealift-bench-'))
const report = new Report()
try {
  console.error('making the corpus')
  const corpus = await makeCorpus(join(folder, 'corpus'), values.short ? 0.1 : 1)
  const setting: Setting = {
    folder,
    corpus,
    runs: values.short ? 1 : 5,
    sealift: join(import.meta.dirname, '..', 'bin', 'sealift'),
    report,
  }
  const groups = {
    start: startGroup,
    pack: packGroup,
    serve: serveGroup,
    push: pushGroup,
    registry: registryGroup,
    log: logGroup,
    policy: policyGroup,
    verify: verifyGroup,
    gate: gateGroup,
    admission: admissionGroup,
    attestation: attestationGroup,
    broker: brokerGroup,
    credentials: credentialsGroup,
    'broker-sessions': brokerSessionsGroup,
    'broker-http': brokerHttpGroup,
  }
  for (const [name, group] of Object.entries(groups)) {
    if (!name.includes(values.only)) continue
    console.error(`measuring: ${name}`)
    await group(setting)
  }
  console.log(report.text())
  if (values.write) report.write(join(import.meta.dirname, '..', 'docs', 'benchmarks.md'))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
if (values.gate && report.shortfalls.length > 0) {
  console.error(`short of the goal: ${report.shortfalls.join('; ')}`)
  process.exitCode = 1
}
