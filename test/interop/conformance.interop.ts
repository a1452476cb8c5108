// The OCI distribution conformance suite, nothing disabled, over `sealift registry serve`; and its read-only part
// over an archive that is served in place.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fetchManifest, pushReferrer } from './artifacts.ts'
import { imageLayout } from './images.ts'
import { needs } from './peers.ts'
import { Workbench } from './workbench.ts'

const bench = new Workbench()
after(() => bench[Symbol.asyncDispose]())

test('registry serve: the whole suite', needs('conformance'), async () => {
  const registry = await bench.serve(['registry', 'serve', bench.path('data')])
  const { counts, others, report, junit } = await suite(registry, {
    OCI_REPO1: 'conformance/one',
    OCI_REPO2: 'conformance/two',
    OCI_DATA_SPARSE: 'true',
  })
  const { Pass, Total, ...rest } = counts
  assert.deepEqual(rest, { FAIL: 0, Skip: 0, Disabled: 0, Error: 0 }, `${others.join('\n')}\n${report}`)
  assert.equal(Pass, Total)
  // The number differs a little between runs, since the suite draws some of its data by lot.
  assert.ok(Number(Total) >= 900, `only ${Total} tests ran`)
  assert.match(junit, /<testsuites[^>]* tests="\d+"/)
  assert.doesNotMatch(junit, /<(failure|error|skipped)[ />]/)
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
  const { counts, others, report } = await suite(registry, {
    OCI_REPO1: 'shop/nginx',
    OCI_REPO2: 'shop/nginx',
    OCI_API_PUSH: 'false',
    OCI_API_BLOBS_DELETE: 'false',
    OCI_API_MANIFESTS_DELETE: 'false',
    OCI_API_TAGS_DELETE: 'false',
    // The suite keeps no response to content that it did not make, so it finds no header there; see below.
    OCI_API_MANIFESTS_DIGEST_HEADER: 'false',
    OCI_RO_DATA_TAGS: '1',
    OCI_RO_DATA_MANIFESTS: [descriptor, ...manifests, referrer].map(({ digest }) => digest).join(' '),
    OCI_RO_DATA_BLOBS: [...new Set(blobs)].join(' '),
    OCI_RO_DATA_REFERRERS: descriptor.digest,
  })
  const { Pass, FAIL, Skip, Error: errors } = counts
  assert.deepEqual(
    { FAIL, Skip, Error: errors },
    { FAIL: 0, Skip: 0, Error: 0 },
    `${others.join('\n')}\n${report}`,
  )
  const disabled = others.filter((name) => !/\/(push|delete|manifest-put)\b|sha\d+ blobs/.test(name))
  assert.deepEqual(disabled, [], 'only what writes is disabled')
  // Each manifest by HEAD and GET, the tag too, each blob by HEAD and GET, the list of tags, and more.
  const least = 2 * (4 + 1) + 2 * new Set(blobs).size + 1
  assert.ok(Number(Pass) >= least, `only ${Pass} passed of at least ${least}`)

  for (const { digest } of [descriptor, ...manifests, referrer]) {
    const head = await fetch(`http://${registry}/v2/shop/nginx/manifests/${digest}`, { method: 'HEAD' })
    assert.equal(head.headers.get('docker-content-digest'), digest)
  }
})

interface Results {
  /** As the suite prints them: Pass, FAIL, Skip, Disabled, Error, Total. */
  readonly counts: Readonly<Record<string, number>>
  /** The tests that did not pass. */
  readonly others: readonly string[]
  readonly report: string
  /** Empty where the suite did not get so far. */
  readonly junit: string
}

/**
 * Runs the suite. Its printed report is what counts: with pushes disabled this version ends in a panic after that,
 * when it writes its results.yaml about a test that has no data, and never gets to junit.xml.
 */
async function suite(registry: string, settings: Readonly<Record<string, string>>): Promise<Results> {
  const folder = bench.fresh('results')
  const env = { OCI_REGISTRY: registry, OCI_TLS: 'disabled', OCI_VERSION: 'dev', OCI_RESULTS_DIR: folder }
  const ran = await bench.run('conformance', [], {
    env: { ...env, OCI_LOG: 'error', ...settings },
    exit: 'any',
  })
  const lines = ran.stdout.split('\n')
  const counts = Object.fromEntries(
    lines
      .slice(lines.findIndex((line) => line.startsWith('OCI Conformance Result:')))
      .map((line) => /^ {2}(Pass|FAIL|Skip|Disabled|Error|Total)\.+: +(\d+)$/.exec(line))
      .filter((found) => found !== null)
      .map(([, name = '', count]) => [name, Number(count)]),
  )
  assert.ok(
    counts.Total,
    `the suite printed no result\n${ran.stdout.slice(-2_000)}\n${ran.stderr.slice(-2_000)}`,
  )
  console.log(`conformance of ${registry}: ${JSON.stringify(counts)}`)
  const others = lines
    .map((line) => line.trim())
    .filter((line) => /^OCI Conformance Test.*: (FAIL|Skip|Disabled|Error)$/.test(line))
  const junit = join(folder, 'junit.xml')
  return {
    counts,
    others,
    report: `${ran.stdout.slice(-3_000)}\n${ran.stderr.slice(-3_000)}`,
    junit: existsSync(junit) ? readFileSync(junit, 'utf8') : '',
  }
}
