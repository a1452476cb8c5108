// The webhook as `sealift admission manifests` installs it: two replicas inside of a real cluster.
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { Cluster, kubernetesPeers } from './kubernetes.ts'
import { needs } from './peers.ts'
import { buildSealiftImage } from './sealift-image.ts'
import { freePort, Workbench } from './workbench.ts'

const password = { SEALIFT_PASSWORD: 'correct horse' }
const namespace = 'sealift-system'
const name = 'sealift-admission'

describe('inside of a Kubernetes cluster', { ...needs(...kubernetesPeers), timeout: 300_000 }, () => {
  test('what `admission manifests` prints installs a webhook that guards, and outlives each of its replicas', async () => {
    await using bench = new Workbench()
    // Nodes and pods find the registry under different addresses, as behind a mirror.
    const port = await freePort()
    await bench.serve(['registry', 'serve', bench.path('data'), '--listen', `0.0.0.0:${port}`])
    const registry = `127.0.0.1:${port}`
    const mirror = `${Cluster.gateway}:${port}`
    for (const repository of ['pause', 'shop/web', 'shop/unsigned']) {
      await bench.sealift([
        ...['image', 'build', `${registry}/${repository}:1`, '--file', '/bin/busybox:/bin/busybox'],
        ...['--env', `NAME=${repository}`],
        ...['/bin/busybox', 'sleep', '100000'].flatMap((word) => ['--entrypoint', word]),
      ])
    }
    await buildSealiftImage(bench, `${registry}/sealift:1`)
    await bench.sealift(['key', 'generate', '--out', 'release'], { env: password })
    await bench.sealift(['sign', `${registry}/shop/web:1`, '--key', 'release.key'], { env: password })
    writeFileSync(bench.path('trust.yaml'), policyOf(registry))
    const cluster = await Cluster.start(bench, { registry, pause: `${registry}/pause:1` })
    await cluster.apply(volumes(bench))
    const { stdout } = await bench.sealift([
      ...['admission', 'manifests', '--image', `${registry}/sealift:1`, '--storage-class', 'test'],
      ...['--policy', 'trust.yaml', '--policy', 'release.pub', '--mirror', mirror, '--plain-http', mirror],
    ])
    // There is no service proxy here: pods are told where the API server is.
    const env = `            - name: KUBERNETES_SERVICE_HOST\n              value: ${Cluster.gateway}\n            - name: KUBERNETES_SERVICE_PORT\n              value: "${cluster.port}"\n`
    await cluster.kubectl(['apply', '-f', '-'], { input: stdout.replace(/(\n {10}env:\n)/, `$1${env}`) })
    const ready = () =>
      cluster.kubectl(['-n', namespace, 'rollout', 'status', `statefulset/${name}`, '--timeout=60s'])
    try {
      await ready()
    } catch (error) {
      throw new Error(`${String(error)}\n${cluster.logs(namespace, `${name}-0`)}`)
    }
    const pod = (name: string, repository: string) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'main', image: `${registry}/${repository}:1` }],
      },
    })
    const { stderr } = await cluster.apply([pod('unsigned', 'shop/unsigned')], { exit: 1 })
    assert.match(stderr, /container main \(.*SIGNATURE_/)
    await cluster.apply([pod('web', 'shop/web')])
    await cluster.until(async () => {
      const { status } = await cluster.get<{ status: { phase: string } }>('pod', 'web')
      return status.phase === 'Running'
    })
    // One replica goes, then the other: whoever is left answers, with the certificates of both.
    for (const replica of [0, 1]) {
      await cluster.kubectl(['-n', namespace, 'delete', 'pod', `${name}-${replica}`, '--wait=false'])
      await cluster.until(async () => {
        await cluster.apply([pod(`while-${replica}`, 'shop/web')])
        return true
      })
      await ready()
    }
    const { stderr: still } = await cluster.apply([pod('unsigned', 'shop/unsigned')], { exit: 1 })
    assert.match(still, /SIGNATURE_/)
  })
})

const policyOf = (registry: string) => `apiVersion: sealift.dev/v1
kind: TrustPolicy
name: cluster
keys:
  release: { file: release.pub }
rules:
  - content: "${registry}/shop/**"
    signatures:
      - from: [{ key: release }]
`

/** What a provisioner would bring: a folder for each replica. */
function volumes(bench: Workbench): readonly object[] {
  return [0, 1].map((number) => {
    const path = bench.path(`volume-${number}`)
    mkdirSync(path)
    chmodSync(path, 0o777)
    return {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: { name: `volume-${number}` },
      spec: {
        capacity: { storage: '10Gi' },
        accessModes: ['ReadWriteOnce'],
        storageClassName: 'test',
        hostPath: { path },
      },
    }
  })
}
