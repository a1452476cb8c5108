import type { Environment } from '#gate/index.ts'

export interface WebhookOptions {
  /** Of both configurations. */
  readonly name: string
  /** Where the API server finds the webhook: a service, or a URL without a path. */
  readonly at:
    | { readonly service: { readonly namespace: string; readonly name: string } }
    | { readonly url: string }
  /** PEM; the webhook writes it itself where it may. */
  readonly caBundle?: string
  /** Namespaces that nobody judges: its own at least, or it could never start. */
  readonly exempt: readonly string[]
  /** Label of namespaces that says which environment they are. */
  readonly environmentLabel: string
  readonly timeoutSeconds: number
}

/** Everything that holds a pod template in Kubernetes 1.36; CRONJOB and JOB among them. */
const rules = [
  rule('', 'v1', ['pods', 'pods/ephemeralcontainers', 'podtemplates', 'replicationcontrollers']),
  rule('apps', 'v1', ['deployments', 'statefulsets', 'daemonsets', 'replicasets']),
  rule('batch', 'v1', ['jobs', 'cronjobs']),
]

function rule(group: string, version: string, resources: readonly string[]) {
  return {
    apiGroups: [group],
    apiVersions: [version],
    operations: ['CREATE', 'UPDATE'],
    resources,
    scope: 'Namespaced',
  }
}

/** The environments that a label can give; whoever may label a namespace chooses among them. */
const labelled: readonly Environment[] = ['build', 'trial']

/**
 * Both configurations. There is one validating webhook for each environment, told apart by namespace labels, so that
 * the webhook needs no right to read namespaces; what has no label, or another one, is production.
 */
export function webhookConfigurations(options: WebhookOptions): readonly object[] {
  const { name, environmentLabel } = options
  const configuration = (kind: string, webhooks: readonly object[]) => ({
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind,
    metadata: { name, labels: { 'app.kubernetes.io/name': 'sealift-admission' } },
    webhooks,
  })
  return [
    configuration('ValidatingWebhookConfiguration', [
      webhook(options, 'production.admission.sealift.dev', '/validate/production', {
        key: environmentLabel,
        operator: 'NotIn',
        values: labelled,
      }),
      ...labelled.map((environment) =>
        webhook(options, `${environment}.admission.sealift.dev`, `/validate/${environment}`, {
          key: environmentLabel,
          operator: 'In',
          values: [environment],
        }),
      ),
    ]),
    configuration('MutatingWebhookConfiguration', [
      { ...webhook(options, 'pin.admission.sealift.dev', '/mutate'), reinvocationPolicy: 'IfNeeded' },
    ]),
  ]
}

function webhook(options: WebhookOptions, name: string, path: string, environment?: object) {
  const { at, caBundle, exempt, timeoutSeconds } = options
  const bundle = caBundle === undefined ? {} : { caBundle: Buffer.from(caBundle).toString('base64') }
  const where =
    'url' in at
      ? { url: `${at.url.replace(/\/$/, '')}${path}` }
      : { service: { ...at.service, path, port: 443 } }
  return {
    name,
    clientConfig: { ...where, ...bundle },
    rules,
    failurePolicy: 'Fail',
    matchPolicy: 'Equivalent',
    sideEffects: name.startsWith('pin.') ? 'None' : 'NoneOnDryRun',
    timeoutSeconds,
    admissionReviewVersions: ['v1'],
    namespaceSelector: {
      matchExpressions: [
        // Set by the API server itself on every namespace; nobody can change it.
        { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: exempt },
        ...(environment ? [environment] : []),
      ],
    },
  }
}
