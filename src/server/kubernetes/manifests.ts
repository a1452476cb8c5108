import { type WebhookOptions, webhookConfigurations } from './webhook-configurations.ts'

export interface ManifestOptions {
  /** Of all objects, and of both webhook configurations. */
  readonly name: string
  readonly namespace: string
  /** The image that has `sealift`, by digest at best. Without it only the webhook configurations are made. */
  readonly image?: string
  readonly replicas: number
  /** Command-line arguments beyond those that the objects here need. */
  readonly args: readonly string[]
  /** Files of the policy by name; the first one is what `--policy` names. */
  readonly policy: Readonly<Record<string, string>>
  /** A Secret of type kubernetes.io/dockerconfigjson with credentials for the mirror. */
  readonly registrySecret?: string
  readonly storageClass?: string
  /** Set for a webhook outside of the cluster. */
  readonly url?: string
  readonly caBundle?: string
  readonly exempt: readonly string[]
  readonly environmentLabel: string
  readonly timeoutSeconds: number
}

const port = 8443

/**
 * Everything that has to be applied, in this order. The replicas are a StatefulSet, since each has a log of its own
 * that must outlive it; their certificates are in one Secret, which is there from the beginning, so that nobody
 * needs the right to make one.
 */
export function admissionManifests(options: ManifestOptions): readonly object[] {
  const { namespace, name, url, exempt, environmentLabel, timeoutSeconds, caBundle } = options
  const at: WebhookOptions['at'] = url === undefined ? { service: { namespace, name } } : { url }
  const configurations = webhookConfigurations({
    ...{ name, at, environmentLabel, timeoutSeconds },
    exempt: [...new Set([...(url === undefined ? [namespace] : []), ...exempt])],
    ...(caBundle !== undefined && { caBundle }),
  })
  if (url !== undefined) return configurations
  return [
    object('v1', 'Namespace', namespace, { labels: restricted }),
    ...access(options),
    inside(options, 'v1', 'Secret', certificatesOf(name), { type: 'Opaque' }),
    inside(options, 'v1', 'ConfigMap', policyOf(name), { data: options.policy }),
    inside(options, 'v1', 'Service', name, {
      spec: { selector: selectorOf(name), ports: [{ name: 'https', port: 443, targetPort: 'https' }] },
    }),
    inside(options, 'policy/v1', 'PodDisruptionBudget', name, {
      spec: { maxUnavailable: 1, selector: { matchLabels: selectorOf(name) } },
    }),
    workload(options),
    ...configurations,
  ]
}

const certificatesOf = (name: string) => `${name}-certificates`
const policyOf = (name: string) => `${name}-policy`
const selectorOf = (name: string) => ({
  'app.kubernetes.io/name': 'sealift-admission',
  'app.kubernetes.io/instance': name,
})
const restricted = { 'pod-security.kubernetes.io/enforce': 'restricted' }

const object = (apiVersion: string, kind: string, name: string, metadata: object, rest: object = {}) => ({
  apiVersion,
  kind,
  metadata: { name, ...metadata },
  ...rest,
})

const inside = (
  { namespace, name: instance }: ManifestOptions,
  apiVersion: string,
  kind: string,
  name: string,
  rest: object,
) => object(apiVersion, kind, name, { namespace, labels: selectorOf(instance) }, rest)

/** As little as it needs: its own Secret and its own two configurations, by name. */
function access(options: ManifestOptions): readonly object[] {
  const { name, namespace } = options
  const group = 'rbac.authorization.k8s.io'
  const subjects = [{ kind: 'ServiceAccount', name, namespace }]
  const roleRef = (kind: string) => ({ apiGroup: group, kind, name })
  const verbs = ['get', 'update']
  return [
    inside(options, 'v1', 'ServiceAccount', name, { automountServiceAccountToken: false }),
    inside(options, `${group}/v1`, 'Role', name, {
      rules: [{ apiGroups: [''], resources: ['secrets'], resourceNames: [certificatesOf(name)], verbs }],
    }),
    inside(options, `${group}/v1`, 'RoleBinding', name, { subjects, roleRef: roleRef('Role') }),
    object(
      `${group}/v1`,
      'ClusterRole',
      name,
      { labels: selectorOf(name) },
      {
        rules: [
          {
            apiGroups: ['admissionregistration.k8s.io'],
            resources: ['validatingwebhookconfigurations', 'mutatingwebhookconfigurations'],
            resourceNames: [name],
            verbs: ['get', 'patch'],
          },
        ],
      },
    ),
    object(
      `${group}/v1`,
      'ClusterRoleBinding',
      name,
      { labels: selectorOf(name) },
      {
        subjects,
        roleRef: roleRef('ClusterRole'),
      },
    ),
  ]
}

function workload(options: ManifestOptions): object {
  const { name, namespace, replicas, storageClass } = options
  return inside(options, 'apps/v1', 'StatefulSet', name, {
    spec: {
      replicas,
      serviceName: name,
      podManagementPolicy: 'Parallel',
      selector: { matchLabels: selectorOf(name) },
      template: {
        metadata: { labels: selectorOf(name) },
        spec: {
          serviceAccountName: name,
          automountServiceAccountToken: true,
          securityContext: {
            runAsNonRoot: true,
            runAsUser: 65532,
            runAsGroup: 65532,
            fsGroup: 65532,
            seccompProfile: { type: 'RuntimeDefault' },
          },
          priorityClassName: 'system-cluster-critical',
          topologySpreadConstraints: [
            {
              maxSkew: 1,
              topologyKey: 'kubernetes.io/hostname',
              whenUnsatisfiable: 'ScheduleAnyway',
              labelSelector: { matchLabels: selectorOf(name) },
            },
          ],
          containers: [container(options, `${name}.${namespace}.svc`)],
          volumes: volumes(options),
        },
      },
      volumeClaimTemplates: [
        {
          metadata: { name: 'audit' },
          spec: {
            accessModes: ['ReadWriteOnce'],
            resources: { requests: { storage: '10Gi' } },
            ...(storageClass !== undefined && { storageClassName: storageClass }),
          },
        },
      ],
    },
  })
}

function container({ name, namespace, image, args, policy, registrySecret }: ManifestOptions, host: string) {
  const [first] = Object.keys(policy)
  const probe = (path: string) => ({ httpGet: { path, port: 'https', scheme: 'HTTPS' } })
  return {
    name: 'admission',
    image,
    args: [
      ...['admission', 'serve', '--listen', `0.0.0.0:${port}`, '--hostname', host],
      ...['--secret', `${namespace}/${certificatesOf(name)}`, '--configuration', name],
      ...['--policy', first === undefined ? '/policy' : `/policy/${first}`, '--audit', '/audit/log'],
      ...(registrySecret === undefined ? [] : ['--auth-file', '/registry/.dockerconfigjson']),
      ...args,
    ],
    env: [
      { name: 'HOME', value: '/tmp' },
      { name: 'SEALIFT_STATE_DIR', value: '/audit/state' },
    ],
    ports: [{ name: 'https', containerPort: port }],
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '512Mi' } },
    startupProbe: { ...probe('/healthz'), periodSeconds: 1, failureThreshold: 60 },
    readinessProbe: { ...probe('/readyz'), periodSeconds: 2 },
    livenessProbe: { ...probe('/healthz'), periodSeconds: 10, failureThreshold: 6 },
    // Until the endpoints are gone everywhere, reviews still come.
    lifecycle: { preStop: { sleep: { seconds: 5 } } },
    volumeMounts: [
      { name: 'audit', mountPath: '/audit' },
      { name: 'policy', mountPath: '/policy', readOnly: true },
      { name: 'tmp', mountPath: '/tmp' },
      ...(registrySecret === undefined ? [] : [{ name: 'registry', mountPath: '/registry', readOnly: true }]),
    ],
  }
}

const volumes = ({ name, registrySecret }: ManifestOptions) => [
  { name: 'policy', configMap: { name: policyOf(name) } },
  { name: 'tmp', emptyDir: { medium: 'Memory', sizeLimit: '64Mi' } },
  ...(registrySecret === undefined ? [] : [{ name: 'registry', secret: { secretName: registrySecret } }]),
]
