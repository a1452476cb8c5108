// The OCI distribution conformance suite, nothing disabled, over `sealift registry serve`; and its read-only part
// over an archive that is served in place.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { fetchManifest, pushReferrer } from './artifacts.ts'
import { imageLayout } from './images.ts'
import { needs } from './peers.ts'
import { Workbench } from './workbench.ts'

const bench = new Workbench()
after(() => bench[Symbol.asyncDispose]())

test('registry serve: the whole suite', needs('conformance'), async () => {
  const registry = await bench.serve(['registry', 'serve', bench.path('data')])
  const counts = await suite(registry, {
    OCI_REPO1: 'conformance/one',
    OCI_REPO2: 'conformance/two',
    OCI_DATA_SPARSE: 'true',
    OCI_LOG: 'error',
  })
  // 986 with the pinned version; another one may have more.
  assert.ok(counts.tests >= 900, `only ${counts.tests} tests ran`)
  assertAllPassed(counts)
})

test('serve ARCHIVE: the read-only part', needs('conformance', 'skopeo'), async () => {
  const near = await bench.serve(['registry', 'serve', bench.path('near')])
  const layout = await imageLayout(bench.folder)
  const image = `${near}/shop/nginx`
  await bench.run('skopeo', [
    ...['copy', '-q', '--all', '--dest-tls-verify=false'],
    ...[`oci:${layout}:nginx`, `docker://${image}:1`],
  ])
  const { descriptor, bytes } = await fetchManifest(image, '1')
  const referrer = await pushReferrer(image, descriptor, 'application/vnd.example.sbom', 'what is inside')
  await bench.sealift(['pack', `${image}:1`, '-o', 'ro.tgz'])
  const { manifests } = JSON.parse(bytes.toString()) as { manifests: { digest: string }[] }
  const children = await Promise.all(manifests.map(({ digest }) => fetchManifest(image, digest)))
  const blobs = children.flatMap((child) => {
    const { config, layers } = JSON.parse(child.bytes.toString()) as {
      config: { digest: string }
      layers: { digest: string }[]
    }
    return [config, ...layers].map(({ digest }) => digest)
  })

  const registry = await bench.serve(['serve', bench.path('ro.tgz')])
  const counts = await suite(registry, {
    OCI_REPO1: 'shop/nginx',
    OCI_REPO2: 'shop/nginx',
    OCI_API_PUSH: 'false',
    OCI_API_BLOBS_DELETE: 'false',
    OCI_API_BLOBS_UPLOAD_CANCEL: 'false',
    OCI_API_BLOBS_MOUNT_ANONYMOUS: 'false',
    OCI_API_MANIFESTS_DELETE: 'false',
    OCI_API_MANIFESTS_TAG_PARAM: 'false',
    OCI_API_TAGS_DELETE: 'false',
    OCI_RO_DATA_TAGS: '1',
    OCI_RO_DATA_MANIFESTS: [descriptor, ...manifests, referrer].map(({ digest }) => digest).join(' '),
    OCI_RO_DATA_BLOBS: [...new Set(blobs)].join(' '),
    OCI_RO_DATA_REFERRERS: descriptor.digest,
  })
  assert.deepEqual(counts.skippedNames, [])
  assertAllPassed(counts)
})

interface Counts {
  readonly tests: number
  readonly failures: number
  readonly errors: number
  readonly skipped: number
  readonly disabled: number
  readonly skippedNames: readonly string[]
  readonly failed: string
}

let runs = 0

async function suite(registry: string, settings: Readonly<Record<string, string>>): Promise<Counts> {
  runs += 1
  const results = bench.path(`results-${runs}`)
  const env = { OCI_REGISTRY: registry, OCI_TLS: 'disabled', OCI_VERSION: 'dev', OCI_RESULTS_DIR: results }
  const ended = await bench
    .run('conformance', [], { env: { ...env, ...settings } })
    .then(({ stdout }) => stdout)
    .catch((error: Error) => error.message)
  const junit = readFileSync(`${results}/junit.xml`, 'utf8')
  const count = (name: string) => Number(new RegExp(`<testsuites[^>]* ${name}="(\\d+)"`).exec(junit)?.[1] ?? 0)
  const counts = {
    tests: count('tests'),
    failures: count('failures'),
    errors: count('errors'),
    skipped: count('skipped'),
    disabled: count('disabled'),
  }
  console.log(`conformance of ${registry}: ${JSON.stringify(counts)}`)
  const cases = [...junit.matchAll(/<testcase name="([^"]*)" classname="([^"]*)"[^>]*?status="(\w+)"/g)]
  const skippedNames = cases.filter(([, , , status]) => status !== 'passed').map(([, name, group]) => `${group} ${name}`)
  return { ...counts, skippedNames, failed: ended.slice(-3_000) }
}

function assertAllPassed({ tests, failures, errors, skipped, disabled, failed, skippedNames }: Counts): void {
  assert.ok(tests > 0, failed)
  const what = { failures, errors, skipped, disabled }
  const none = { failures: 0, errors: 0, skipped: 0, disabled: 0 }
  assert.deepEqual(what, none, `${failed}\n${skippedNames.join('\n')}`)
}
