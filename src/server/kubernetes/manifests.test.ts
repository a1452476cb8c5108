import assert from 'node:assert/strict'
import { test } from 'node:test'
import { admissionManifests, type ManifestOptions } from './manifests.ts'

const options: ManifestOptions = {
  name: 'sealift-admission',
  namespace: 'sealift-system',
  image: 'registry.enclave/sealift@sha256:0',
  replicas: 2,
  args: ['--mirror', 'registry.enclave/vendor'],
  policy: { 'trust.yaml': 'policy', 'release.pub': 'key' },
  exempt: ['kube-system'],
  environmentLabel: 'sealift.dev/environment',
  timeoutSeconds: 10,
}

// biome-ignore lint/suspicious/noExplicitAny: objects of Kubernetes, whose members are asserted
type Objects = any[]
const of = (objects: Objects, kind: string) => objects.filter((object) => object.kind === kind)

test('everything that is needed, with the least of rights', () => {
  const objects = admissionManifests(options) as Objects
  assert.deepEqual(
    objects.map(({ kind }) => kind),
    [
      ...[
        'Namespace',
        'ServiceAccount',
        'Role',
        'RoleBinding',
        'ClusterRole',
        'ClusterRoleBinding',
        'Secret',
      ],
      ...['ConfigMap', 'Service', 'PodDisruptionBudget', 'StatefulSet'],
      ...['ValidatingWebhookConfiguration', 'MutatingWebhookConfiguration'],
    ],
  )
  for (const { rules } of [...of(objects, 'Role'), ...of(objects, 'ClusterRole')]) {
    for (const rule of rules) {
      assert.equal(rule.resourceNames.length, 1)
      assert.ok(!rule.verbs.some((verb: string) => ['*', 'list', 'watch', 'create', 'delete'].includes(verb)))
    }
  }
  const [{ spec }] = of(objects, 'StatefulSet')
  const pod = spec.template.spec
  assert.equal(pod.securityContext.runAsNonRoot, true)
  assert.equal(pod.securityContext.seccompProfile.type, 'RuntimeDefault')
  const [container] = pod.containers
  assert.deepEqual(container.securityContext, {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  })
  assert.ok(container.args.includes('/policy/trust.yaml'), 'the first file is the policy')
  assert.deepEqual(container.args.slice(-2), ['--mirror', 'registry.enclave/vendor'])
})

test('every webhook fails closed, waits longer than the webhook takes, and exempts its own namespace', () => {
  const objects = admissionManifests(options) as Objects
  const configurations = [
    ...of(objects, 'ValidatingWebhookConfiguration'),
    ...of(objects, 'MutatingWebhookConfiguration'),
  ]
  const webhooks = configurations.flatMap(({ webhooks }) => webhooks)
  assert.equal(webhooks.length, 4)
  for (const webhook of webhooks) {
    assert.equal(webhook.failurePolicy, 'Fail')
    assert.equal(webhook.matchPolicy, 'Equivalent')
    assert.equal(webhook.timeoutSeconds, 10)
    const [exempt] = webhook.namespaceSelector.matchExpressions
    assert.deepEqual(exempt, {
      key: 'kubernetes.io/metadata.name',
      operator: 'NotIn',
      values: ['sealift-system', 'kube-system'],
    })
    const resources = webhook.rules.flatMap((rule: { resources: string[] }) => rule.resources)
    assert.equal(resources.length, 10)
    assert.ok(resources.includes('pods/ephemeralcontainers'))
  }
})

test('each namespace has exactly one validating webhook, whatever its label says', () => {
  const [{ webhooks }] = of(admissionManifests(options) as Objects, 'ValidatingWebhookConfiguration')
  for (const label of [undefined, '', 'production', 'trial', 'build', 'moon']) {
    const matching = (webhooks as Objects).filter(({ namespaceSelector }) => {
      const { operator, values } = namespaceSelector.matchExpressions[1]
      const isIn = label !== undefined && values.includes(label)
      return operator === 'In' ? isIn : !isIn
    })
    assert.equal(matching.length, 1, String(label))
    const expected = label === 'trial' || label === 'build' ? label : 'production'
    assert.equal(matching[0].clientConfig.service.path, `/validate/${expected}`)
  }
})

test('outside of the cluster only the configurations are needed', () => {
  const { image: _, ...rest } = options
  const objects = admissionManifests({
    ...rest,
    url: 'https://admission.enclave:8443/',
    caBundle: 'PEM',
  }) as Objects
  assert.equal(objects.length, 2)
  const [{ webhooks }] = objects
  assert.deepEqual(webhooks[0].clientConfig, {
    url: 'https://admission.enclave:8443/validate/production',
    caBundle: Buffer.from('PEM').toString('base64'),
  })
  assert.deepEqual(webhooks[0].namespaceSelector.matchExpressions[0].values, ['kube-system'])
})
