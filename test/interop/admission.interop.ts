// A real cluster whose pods are let in by `sealift admission serve`.
import assert from 'node:assert/strict'
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { Cluster, kubernetesPeers } from './kubernetes.ts'
import { needs } from './peers.ts'
import { Webhook } from './webhook.ts'
import { freePort, Workbench } from './workbench.ts'

interface Pod {
  readonly metadata: { readonly name: string }
  readonly spec: { readonly containers: readonly { readonly image: string }[] }
  readonly status: {
    readonly phase: string
    readonly containerStatuses?: readonly { readonly imageID: string; readonly ready: boolean }[]
    readonly ephemeralContainerStatuses?: readonly { readonly state: { readonly running?: object } }[]
  }
}

describe('a Kubernetes cluster', { ...needs(...kubernetesPeers), timeout: 400_000 }, () => {
  let bench: Workbench
  let cluster: Cluster
  let webhook: Webhook
  let registry: string
  const digests = new Map<string, string>()
  const images = ['shop/web', 'shop/unsigned', 'shop/debug', 'shop/late']
  const name = 'sealift-admission'
  const keys = ['release', 'other', 'duty']
  const password = { SEALIFT_PASSWORD: 'correct horse' }

  const image = (repository: string) => `${registry}/${repository}:1`
  const pinned = (repository: string) => `${registry}/${repository}@${digests.get(repository)}`
  const pod = (name: string, image: string) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'main', image }] },
  })
  const phase = async (name: string) => (await cluster.get<Pod>('pod', name)).status.phase
  const sign = (repository: string) =>
    bench.sealift(['sign', pinned(repository), '--key', bench.path('release.key')], { env: password })
  const writePolicy = (signer: string) =>
    writeFileSync(bench.path('policy/trust.yaml'), policyOf(registry, signer))

  before(async () => {
    bench = new Workbench()
    registry = await bench.serve(['registry', 'serve', bench.path('data')])
    for (const repository of ['pause', ...images]) {
      await bench.sealift([
        ...['image', 'build', image(repository), '--file', '/bin/busybox:/bin/busybox'],
        ...['--env', `NAME=${repository}`],
        ...['/bin/busybox', 'sleep', '100000'].flatMap((word) => ['--entrypoint', word]),
      ])
      const [root] = (
        await bench.sealiftJson<{ roots: { digest: string }[] }>(['inspect', image(repository)])
      ).roots
      digests.set(repository, root?.digest ?? '')
    }
    for (const key of keys) await bench.sealift(['key', 'generate', '--out', key], { env: password })
    await sign('shop/web')
    await sign('shop/debug')
    const port = await freePort()
    cluster = await Cluster.start(bench, { registry, pause: image('pause') })
    const url = `https://127.0.0.1:${port}`
    const { stdout } = await bench.sealift([
      'admission',
      'manifests',
      '--url',
      url,
      '--exempt',
      'kube-system',
    ])
    await cluster.kubectl(['apply', '-f', '-'], { input: stdout })
    // Certificates of 12 seconds, authorities of 36: the test lives to see them renewed.
    const configuration = {
      certificates: { seconds: 12, authoritySeconds: 36, secret: `default/${name}`, configuration: name },
      refreshSeconds: 2,
      environments: { namespaces: { lab: 'trial' } },
    }
    writeFileSync(bench.path('admission.yaml'), JSON.stringify(configuration))
    mkdirSync(bench.path('policy'))
    for (const key of keys) copyFileSync(bench.path(`${key}.pub`), bench.path(`policy/${key}.pub`))
    writePolicy('release')
    webhook = new Webhook(bench, port, [
      ...['--config', 'admission.yaml', '--policy', 'policy/trust.yaml', '--audit', 'audit'],
      ...['--ip', '127.0.0.1', '--kubeconfig', cluster.kubeconfig],
    ])
    await webhook.start()
  })
  after(async () => bench?.[Symbol.asyncDispose]())

  test('an unsigned pod is refused, and kubectl says why', async () => {
    const { stderr } = await cluster.apply([pod('unsigned', image('shop/unsigned'))], { exit: 1 })
    assert.match(stderr, /admission webhook "production\.admission\.sealift\.dev" denied the request/)
    assert.match(stderr, /container main \(.*shop\/unsigned:1@sha256:.*SIGNATURE_/)
    assert.match(stderr, /sealift sign/)
    await assert.rejects(cluster.get('pod', 'unsigned'), /not found/)
  })

  test('a signed pod runs, by the digest that was judged', async () => {
    await cluster.apply([pod('web', image('shop/web'))])
    await cluster.until(async () => (await phase('web')) === 'Running')
    const { spec, status } = await cluster.get<Pod>('pod', 'web')
    assert.equal(spec.containers[0]?.image, `${image('shop/web')}@${digests.get('shop/web')}`)
    assert.match(status.containerStatuses?.[0]?.imageID ?? '', new RegExp(`${digests.get('shop/web')}$`))
  })

  test('the audit event of the API server names decision, policy and entry', () => {
    const events = readFileSync(cluster.auditLog, 'utf8')
      .split('\n')
      .filter((line) => line.includes('"name":"web"') && line.includes('"verb":"create"'))
      .map((line) => JSON.parse(line) as { annotations?: Record<string, string> })
    const annotations = events.find((event) => event.annotations)?.annotations ?? {}
    const of = (key: string) => annotations[`production.admission.sealift.dev/${key}`]
    assert.equal(of('decision'), 'admitted')
    assert.match(of('policy') ?? '', /^sha256:/)
    assert.match(of('entry') ?? '', /^\d+$/)
    assert.equal(annotations['pin.admission.sealift.dev/pinned'], '1')
  })

  test('a Deployment with a tag becomes one with a digest, and its pods run; others are refused', async () => {
    const deployment = (name: string, image: string) => ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name },
      spec: {
        selector: { matchLabels: { app: name } },
        template: {
          metadata: { labels: { app: name } },
          spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'main', image }] },
        },
      },
    })
    await cluster.apply([deployment('shop', image('shop/web'))])
    await cluster.kubectl(['rollout', 'status', 'deployment/shop', '--timeout=60s'])
    const template = ['-o', 'jsonpath={.spec.template.spec.containers[0].image}']
    const { stdout } = await cluster.kubectl(['get', 'deployment', 'shop', ...template])
    assert.equal(stdout, `${image('shop/web')}@${digests.get('shop/web')}`)
    await cluster.kubectl(['scale', 'deployment', 'shop', '--replicas=2'])
    await cluster.kubectl(['rollout', 'status', 'deployment/shop', '--timeout=60s'])
    const { stderr } = await cluster.apply([deployment('bad', image('shop/unsigned'))], { exit: 1 })
    assert.match(stderr, /denied the request/)
    const job = {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'bad' },
      spec: {
        schedule: '* * * * *',
        jobTemplate: {
          spec: { template: { spec: { ...pod('x', image('shop/unsigned')).spec, restartPolicy: 'Never' } } },
        },
      },
    }
    assert.match((await cluster.apply([job], { exit: 1 })).stderr, /denied the request/)
  })

  test('ephemeral containers are judged too', async () => {
    const debug = (image: string, options = {}) =>
      cluster.kubectl(['debug', 'web', '--image', image, '--attach=false'], options)
    assert.match(
      (await debug(image('shop/unsigned'), { exit: 1 })).stderr,
      /ephemeral container .*SIGNATURE_/,
    )
    await debug(image('shop/debug'))
    await cluster.until(async () => {
      const { status } = await cluster.get<Pod>('pod', 'web')
      return status.ephemeralContainerStatuses?.some(({ state }) => state.running) ?? false
    })
  })

  test('a dry run is judged and leaves no trace', async () => {
    const before = (await entries()).length
    await cluster.kubectl(['apply', '--dry-run=server', '-f', '-'], {
      input: JSON.stringify(pod('dry', image('shop/web'))),
    })
    const refused = { input: JSON.stringify(pod('dry', image('shop/unsigned'))), exit: 1 }
    await cluster.kubectl(['apply', '--dry-run=server', '-f', '-'], refused)
    assert.equal((await entries()).length, before)
  })

  test('a signature that comes later counts soon', async () => {
    await cluster.apply([pod('late', image('shop/late'))], { exit: 1 })
    await sign('shop/late')
    await cluster.until(async () => {
      await cluster.apply([pod('late', image('shop/late'))])
      return true
    }, 20)
  })

  test('somebody who answers by name lets one in, and everybody is told', async () => {
    const glass = [
      '--person',
      'Jo Field',
      '--reason',
      'the night shift',
      '--until',
      '1h',
      '--action',
      'admit',
    ]
    const signer = ['--key', bench.path('duty.key')]
    await bench.sealift(['override', pinned('shop/unsigned'), ...glass, ...signer], { env: password })
    let warned = ''
    await cluster.until(async () => {
      warned = (await cluster.apply([pod('glass', image('shop/unsigned'))])).stderr
      return true
    }, 20)
    assert.match(warned, /Warning: Jo Field overrides the policy/)
    await cluster.kubectl(['delete', 'pod', 'glass', '--now'])
  })

  test('killed, it fails closed; started again, the log goes on', async () => {
    const before = await entries()
    assert.ok(before.length > 0)
    await webhook.kill('SIGKILL')
    const { stderr } = await cluster.apply([pod('while-down', image('shop/web'))], { exit: 1 })
    assert.match(stderr, /failed calling webhook/)
    await webhook.start()
    await cluster.until(async () => {
      await cluster.apply([pod('after', image('shop/web'))])
      return true
    }, 20)
    const now = await entries()
    assert.deepEqual(now.slice(0, before.length), before, 'nothing that was there is lost or changed')
    assert.ok(now.length > before.length)
    await bench.sealift(['audit', 'verify', '--audit', 'audit'])
  })

  test('certificates and their authority renew, and reviews never stop being answered', async () => {
    const serials = new Set<string>()
    const issuers = new Set<string>()
    const bundles = new Set<string>()
    const bundle = ['-o', 'jsonpath={.webhooks[*].clientConfig.caBundle}']
    const dry = pod('steady', image('shop/web'))
    await cluster.until(async () => {
      const { serial, issuer } = await webhook.certificate()
      serials.add(serial)
      issuers.add(issuer)
      bundles.add((await cluster.kubectl(['get', 'validatingwebhookconfiguration', name, ...bundle])).stdout)
      const applied = await cluster.kubectl(['apply', '--dry-run=server', '-f', '-'], {
        input: JSON.stringify(dry),
        exit: 'any',
      })
      assert.match(applied.stdout, /created/, applied.stderr)
      return serials.size >= 5 && issuers.size >= 2 && bundles.size >= 2
    }, 120)
    const [newest = ''] = [...bundles].at(-1)?.split(' ') ?? []
    assert.ok(Buffer.from(newest, 'base64').toString().split('BEGIN CERTIFICATE').length >= 2)
  })

  test('a change of policy counts without a restart', async () => {
    writePolicy('other')
    await cluster.until(async () => {
      const input = JSON.stringify(pod('by-other', image('shop/web')))
      const { stderr } = await cluster.kubectl(['apply', '--dry-run=server', '-f', '-'], {
        input,
        exit: 'any',
      })
      return /denied the request/.test(stderr)
    }, 20)
    writeFileSync(bench.path('policy/trust.yaml'), 'this: is: no policy')
    await new Promise((resolve) => setTimeout(resolve, 2_000))
    assert.match((await cluster.apply([pod('by-none', image('shop/web'))], { exit: 1 })).stderr, /denied/)
    writePolicy('release')
    await cluster.until(async () => {
      await cluster.apply([pod('again', image('shop/web'))])
      return true
    }, 20)
  })

  test('what installs it inside of a cluster is taken by the API server', async () => {
    const { stdout } = await bench.sealift([
      ...[
        'admission',
        'manifests',
        '--name',
        'inside',
        '--namespace',
        'inside',
        '--image',
        pinned('shop/web'),
      ],
      ...['--policy', 'policy/trust.yaml', '--policy', 'policy/release.pub', '--mirror', registry],
    ])
    const [namespace = '', ...rest] = stdout.split('\n---\n')
    await cluster.kubectl(['apply', '-f', '-'], { input: namespace })
    const { stdout: said } = await cluster.kubectl(
      ['apply', '--dry-run=server', '--validate=strict', '-f', '-'],
      {
        input: rest.join('\n---\n'),
      },
    )
    assert.equal(said.trim().split('\n').length, rest.length)
    assert.match(said, /statefulset\.apps\/inside created \(server dry run\)/)
    // Its own rights, for real: the Secret and the configurations of its name, and no other.
    const access = rest.filter((text) =>
      /kind: (ServiceAccount|Role|RoleBinding|ClusterRole|ClusterRoleBinding)\n/.test(text),
    )
    await cluster.kubectl(['apply', '-f', '-'], { input: access.join('\n---\n') })
    const can = async (...what: readonly string[]) => {
      const as = ['--as', 'system:serviceaccount:inside:inside', '-n', 'inside']
      return (await cluster.kubectl(['auth', 'can-i', ...what, ...as], { exit: 'any' })).stdout.trim()
    }
    assert.equal(await can('update', 'secrets/inside-certificates'), 'yes')
    assert.equal(await can('get', 'secrets/other'), 'no')
    assert.equal(await can('list', 'secrets'), 'no')
    assert.equal(await can('patch', 'validatingwebhookconfigurations/inside'), 'yes')
    assert.equal(await can('patch', `validatingwebhookconfigurations/${name}`), 'no')
    assert.equal(await can('get', 'pods'), 'no')
  })

  /** Every decision that was recorded, as `audit list` tells it. */
  async function entries(): Promise<readonly unknown[]> {
    return await bench.sealiftJson(['audit', 'list', '--audit', 'audit'])
  }
})

const policyOf = (registry: string, signer: string) => `apiVersion: sealift.dev/v1
kind: TrustPolicy
name: cluster
keys:
  ${signer}: { file: ${signer}.pub }
  duty: { file: duty.pub }
overrides:
  from: [{ key: duty }]
rules:
  - content: "${registry}/shop/**"
    signatures:
      - from: [{ key: ${signer} }]
`
