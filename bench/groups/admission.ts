import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ContentGate, prepareRules } from '../../src/gate/index.ts'
import { type Digest, isDigest } from '../../src/oci/index.ts'
import { loadEngine, parseTrustPolicy } from '../../src/policy/index.ts'
import { RegistryClient } from '../../src/registry/client/index.ts'
import {
  Admission,
  MirrorSubjects,
  parseReview,
  RememberedSubjects,
  registryMirror,
} from '../../src/server/index.ts'
import { gatherProofs } from '../../src/trust/index.ts'
import { cost, median, startServer } from '../measure.ts'
import type { Setting } from '../setting.ts'

const containers = 20
const never = new AbortController().signal

/** What the webhook adds to starting a pod: beyond HTTP, and beyond the log, which has figures of its own. */
export async function admissionGroup({ folder, runs, sealift, report }: Setting): Promise<void> {
  report.group(
    'Admission to Kubernetes',
    `From the bytes of a review to those of its answer, for a pod of ${containers} containers given by digest, each image of its own and signed with an ECDSA P-256 key; without HTTP and without the log. Cold: nothing is remembered, and everything is asked of a registry on loopback over new connections.`,
  )
  const home = join(folder, 'admission')
  mkdirSync(home)
  const registry = await startServer(
    [sealift, 'registry', 'serve', join(home, 'data'), '--listen', '127.0.0.1:0'],
    firstLine,
  )
  try {
    const host = new URL(registry.address).host
    const images = await signedImages(sealift, home, host)
    const rules = await trustRules(home, host)
    const options = { rules, images }
    const cold: number[] = []
    // A webhook runs for months: the first runs, in which the engine compiles, are not what is asked about.
    for (let run = 0; run < 10 + runs * 10; run++) cold.push(await coldRun(options))
    report.figure('cold, from the mirror', median(cold.slice(10)), 'ms', 50)
    const { same, fresh } = await warmRuns(options, runs === 1 ? 100 : 1000)
    report.figure('warm, another pod of the same template', median(same), 'ms', 1)
    report.figure('warm, a pod of a name of its own each time', median(fresh), 'ms', 1)
  } finally {
    await registry.stop()
  }
}

interface Given {
  readonly rules: ReturnType<typeof prepareRules>
  readonly images: readonly string[]
}

function webhook({ rules }: Given, client: RegistryClient) {
  const mirror = registryMirror(client)
  const subjects = new RememberedSubjects(
    new MirrorSubjects([mirror], (repository, subject, signal) =>
      gatherProofs(repository, subject, { signal }),
    ),
  )
  const gate = new ContentGate({ rules: () => rules })
  return new Admission({ gate, subjects, environmentOf: () => 'production' })
}

async function coldRun(given: Given): Promise<number> {
  await using client = new RegistryClient()
  return timed(webhook(given, client), given.images, 'web')
}

async function warmRuns(given: Given, count: number): Promise<{ same: number[]; fresh: number[] }> {
  await using client = new RegistryClient()
  const admission = webhook(given, client)
  const same: number[] = []
  const fresh: number[] = []
  for (let run = 0; run < count; run++) same.push(await timed(admission, given.images, `web-${madeUp(run)}`))
  for (let run = 0; run < count; run++) fresh.push(await timed(admission, given.images, `own-${run}`))
  // The first ones compile.
  return { same: same.slice(count / 10), fresh: fresh.slice(count / 10) }
}

/** Five characters such as the API server puts to a `generateName`. */
const madeUp = (number: number) =>
  [...String(10_000 + number)].map((digit) => 'bcdfghjklm'[Number(digit)]).join('')

async function timed(admission: Admission, images: readonly string[], name: string): Promise<number> {
  const bytes = reviewOf(images, name)
  const begun = performance.now()
  const answer = await admission.validate(parseReview(bytes), 'production', never)
  const milliseconds = performance.now() - begun
  if (!answer.allowed) throw new Error(`the bench's own pod is refused: ${answer.lines.join(' ')}`)
  return milliseconds
}

const reviewOf = (images: readonly string[], name: string): Buffer =>
  Buffer.from(
    JSON.stringify({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      request: {
        uid: crypto.randomUUID(),
        kind: { group: '', version: 'v1', kind: 'Pod' },
        operation: 'CREATE',
        namespace: 'shop',
        name,
        userInfo: { username: 'system:serviceaccount:kube-system:replicaset-controller', groups: [] },
        object: {
          metadata: { generateName: 'web-', labels: { app: 'web' } },
          spec: {
            containers: images.map((image, at) => ({
              name: `c${at}`,
              image,
              env: [{ name: 'PORT', value: '8080' }],
              ports: [{ containerPort: 8080 }],
              resources: { requests: { cpu: '10m', memory: '16Mi' } },
              volumeMounts: [{ name: 'token', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' }],
            })),
          },
        },
      },
    }),
  )

/** HOST/shop/N@DIGEST, each signed with a key in `home`. */
async function signedImages(sealift: string, home: string, host: string): Promise<string[]> {
  const env = { ...process.env, SEALIFT_PASSWORD: 'bench', SEALIFT_STATE_DIR: join(home, 'state') }
  writeFileSync(join(home, 'page'), 'hello')
  await cost([[sealift, 'key', 'generate', '--out', join(home, 'release')]], env)
  const images: string[] = []
  for (let number = 0; number < containers; number++) {
    const reference = `${host}/shop/c${number}`
    const page = `${join(home, 'page')}:/page${number}`
    await cost([[sealift, 'image', 'build', `${reference}:1`, '--file', page, '--entrypoint', '/page']], env)
    const image = `${reference}@${await digestOf(`http://${host}/v2/shop/c${number}/manifests/1`)}`
    await cost([[sealift, 'sign', image, '--key', join(home, 'release.key')]], env)
    images.push(image)
  }
  return images
}

async function digestOf(url: string): Promise<Digest> {
  const digest = (await fetch(url, { method: 'HEAD' })).headers.get('docker-content-digest') ?? ''
  if (!isDigest(digest)) throw new Error(`${url} has no digest`)
  return digest
}

async function trustRules(home: string, host: string) {
  const text = [
    'apiVersion: sealift.dev/v1',
    'kind: TrustPolicy',
    'name: bench',
    'keys:',
    '  release: { file: release.pub }',
    'rules:',
    `  - content: "${host}/shop/**"`,
    '    signatures:',
    '      - from: [{ key: release }]',
  ].join('\n')
  await loadEngine()
  const { policy, keys } = await parseTrustPolicy(text, {
    path: 'policy.yaml',
    readFile: async (path) => readFileSync(join(home, path)),
  })
  return prepareRules({ policy, material: { keys, roots: [] } })
}

/** The address that a server prints once it takes requests. */
const firstLine = (child: { readonly stdout: NodeJS.ReadableStream | null }): Promise<string> =>
  new Promise((resolve) => {
    child.stdout?.once('data', (data: Buffer) => resolve(String(data).split('\n')[0] ?? ''))
  })
