import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { Value } from 'typebox/value'
import { parseAllDocuments } from 'yaml'
import { runHere } from './cli.suite.ts'
import { outputSchemas } from './output-schemas.suite.ts'

let cwd = ''
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'sealift-admission-'))
})
afterEach(() => rmSync(cwd, { recursive: true }))

const env = { SEALIFT_PASSWORD: 'a secret' }
const run = (...args: string[]) => runHere(args, { cwd, env })
const done = async (...args: string[]) => {
  const ran = await run(...args)
  assert.equal(ran.exitCode, 0, ran.stderr)
  return ran.stdout
}

const host = 'registry.example/shop'
const policy = `apiVersion: sealift.dev/v1
kind: TrustPolicy
name: cluster
keys:
  release: { file: release.pub }
rules:
  - content: "registry.enclave/vendor/shop/**"
    signatures:
      - from: [{ key: release }]
`

async function image(name: string, content: string): Promise<string> {
  writeFileSync(join(cwd, 'page'), content)
  const location = `oci:./layout:${host}/${name}:1`
  await done('image', 'build', location, '--file', './page:/page', '--entrypoint', '/page')
  const { roots } = JSON.parse(await done('inspect', location, '-o', 'json')) as {
    roots: { digest: string }[]
  }
  return roots[0]?.digest ?? ''
}

test('the manifests are YAML that names the policy and its keys', async () => {
  writeFileSync(join(cwd, 'trust.yaml'), policy)
  writeFileSync(join(cwd, 'release.pub'), '-----BEGIN PUBLIC KEY-----\n')
  const image = ['--image', 'registry.enclave/sealift:1', '--policy', 'trust.yaml', '--policy', 'release.pub']
  const text = await done('admission', 'manifests', ...image, '--mirror', 'registry.enclave/vendor')
  const objects = parseAllDocuments(text).map(
    (document) => document.toJS() as { kind: string; data?: object },
  )
  assert.equal(objects.length, 13)
  const map = objects.find(({ kind }) => kind === 'ConfigMap')
  assert.deepEqual(map?.data, { 'trust.yaml': policy, 'release.pub': '-----BEGIN PUBLIC KEY-----\n' })
  const outside = await done('admission', 'manifests', '--url', 'https://admission.enclave:8443')
  assert.equal(parseAllDocuments(outside).length, 2)
})

test('what makes no sense is said before anything runs', async () => {
  writeFileSync(join(cwd, 'trust.yaml'), policy)
  writeFileSync(join(cwd, 'bad.yaml'), 'mirror: [x]\n')
  const wrong = [
    ['manifests'],
    ['manifests', '--image', 'a/b'],
    ['manifests', '--url', 'http://plain'],
    ['manifests', '--url', 'https://a', '--image', 'a/b'],
    ['manifests', '--url', 'https://a', '--name', 'No Name'],
    ['manifests', '--url', 'https://a', '--timeout', '31'],
    ['serve'],
    ['serve', '--config', 'bad.yaml'],
  ]
  for (const args of wrong) {
    const { exitCode, stderr, stdout } = await run('admission', ...args)
    assert.equal(exitCode, 2, `${args.join(' ')}: ${stderr}`)
    assert.equal(stdout, '')
  }
})

test('a pod is judged by the policy with nothing but a layout; the decision is in the log', async () => {
  const signed = await image('web', 'signed')
  const unsigned = await image('other', 'unsigned')
  await done('key', 'generate', '--out', 'release')
  await done('sign', `oci:./layout:${host}/web:1`, '--key', 'release.key')
  writeFileSync(join(cwd, 'trust.yaml'), policy)
  const stop = new AbortController()
  let line: (text: string) => void = () => {}
  const first = new Promise<string>((resolve) => {
    line = resolve
  })
  const args = [
    'admission',
    'serve',
    '--policy',
    'trust.yaml',
    '--audit',
    'audit',
    '--mirror',
    'oci:./layout',
  ]
  const running = runHere([...args, '--ip', '127.0.0.1', '--listen', '127.0.0.1:0', '-o', 'json'], {
    cwd,
    env,
    signal: stop.signal,
    onOutput: (text) => line(text),
  })
  const started = JSON.parse(await Promise.race([first, running.then(({ stderr }) => assert.fail(stderr))]))
  assert.deepEqual([...Value.Errors(outputSchemas['admission serve'], started)], [])
  const review = (image: string) => ({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: '1',
      kind: { group: '', version: 'v1', kind: 'Pod' },
      operation: 'CREATE',
      namespace: 'shop',
      userInfo: { username: 'jo' },
      object: { spec: { containers: [{ name: 'main', image }] } },
    },
  })
  const ca = readFileSync(join(cwd, 'state', 'admission', 'ca-bundle.crt'))
  const ask = (digest: string, name: string) =>
    post(`${started.url}/validate`, ca, review(`registry.enclave/vendor/shop/${name}@${digest}`))
  const yes = await ask(signed, 'web')
  assert.equal(yes.response.allowed, true, JSON.stringify(yes))
  assert.equal(yes.response.auditAnnotations.entry, '0')
  const no = await ask(unsigned, 'other')
  assert.equal(no.response.allowed, false)
  assert.match(no.response.status.message, /container main \(registry\.enclave.*\[SIGNATURE_/)
  assert.equal(no.response.auditAnnotations.entry, '1')
  stop.abort(new Error('enough'))
  await running
  const entries = JSON.parse(await done('audit', 'list', '--audit', 'audit', '-o', 'json')) as {
    record: { allowed: boolean; principal: object }
  }[]
  assert.deepEqual(
    entries.map(({ record }) => record.allowed),
    [true, false],
  )
  assert.deepEqual(entries[0]?.record.principal, { kind: 'user', name: 'jo', groups: [] })
})

// biome-ignore lint/suspicious/noExplicitAny: whatever it says is asserted
function post(url: string, ca: Buffer, body: object): Promise<any> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' }
    const sent = request(url, { method: 'POST', headers, ca, agent: false }, (reply) => {
      let text = ''
      reply.on('data', (part) => {
        text += part
      })
      reply.on('end', () => resolve(JSON.parse(text)))
    })
    sent.on('error', reject).end(JSON.stringify(body))
  })
}
