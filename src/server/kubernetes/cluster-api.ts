import type { ApiException, ConfigurationOptions, KubeConfig } from '@kubernetes/client-node'
import { failure } from '../codes.ts'

/** A Secret as far as it is used here; values are text. */
export interface Secret {
  readonly data: Readonly<Record<string, string>>
  readonly version: string
}

export type WebhookConfigurationKind = 'ValidatingWebhookConfiguration' | 'MutatingWebhookConfiguration'

/** What of a webhook configuration is looked at: the bundle of each of its webhooks, PEM. */
export interface WebhookConfiguration {
  readonly bundles: readonly string[]
  readonly version: string
}

/** The few things that are asked of a Kubernetes API. @throws KUBERNETES_API */
export interface ClusterApi {
  secret(namespace: string, name: string): Promise<Secret | undefined>
  /** Makes or replaces it; false where it is not of this version any more (empty: it is not to be there). */
  writeSecret(namespace: string, name: string, secret: Secret): Promise<boolean>
  webhookConfiguration(
    kind: WebhookConfigurationKind,
    name: string,
  ): Promise<WebhookConfiguration | undefined>
  /** Gives every webhook this bundle; false where the configuration is not of this version any more. */
  writeBundle(
    kind: WebhookConfigurationKind,
    name: string,
    bundle: string,
    of: WebhookConfiguration,
  ): Promise<boolean>
}

export interface ClusterApiOptions {
  /** Path of a kubeconfig; the service account of the pod where it is not said. */
  readonly kubeconfig?: string
  readonly timeoutMs?: number
}

/** @throws KUBERNETES_API where there is no such kubeconfig or service account */
export async function openClusterApi({
  kubeconfig,
  timeoutMs = 10_000,
}: ClusterApiOptions): Promise<ClusterApi> {
  const kubernetes = await import('@kubernetes/client-node')
  const config = new kubernetes.KubeConfig()
  loadInto(config, kubeconfig)
  const core = config.makeApiClient(kubernetes.CoreV1Api)
  const registration = config.makeApiClient(kubernetes.AdmissionregistrationV1Api)
  const jsonPatch: ConfigurationOptions = kubernetes.setHeaderOptions(
    'Content-Type',
    kubernetes.PatchStrategy.JsonPatch,
  )
  const call = <T>(what: string, answer: Promise<T>) => asked(what, answer, timeoutMs)

  return {
    secret: async (namespace, name) => {
      const secret = await call(`Secret ${namespace}/${name}`, core.readNamespacedSecret({ namespace, name }))
      return secret && { data: decoded(secret.data ?? {}), version: secret.metadata?.resourceVersion ?? '' }
    },
    writeSecret: async (namespace, name, { data, version }) => {
      const body = {
        apiVersion: 'v1',
        kind: 'Secret',
        type: 'Opaque',
        metadata: { name, namespace, ...(version !== '' && { resourceVersion: version }) },
        data: encoded(data),
      }
      const write =
        version === ''
          ? core.createNamespacedSecret({ namespace, body })
          : core.replaceNamespacedSecret({ namespace, name, body })
      return isDone(call(`Secret ${namespace}/${name}`, write))
    },
    webhookConfiguration: async (kind, name) => {
      const read =
        kind === 'ValidatingWebhookConfiguration'
          ? registration.readValidatingWebhookConfiguration({ name })
          : registration.readMutatingWebhookConfiguration({ name })
      const found = await call(`${kind} ${name}`, read)
      return (
        found && {
          bundles: (found.webhooks ?? []).map(({ clientConfig }) =>
            Buffer.from(clientConfig.caBundle ?? '', 'base64').toString(),
          ),
          version: found.metadata?.resourceVersion ?? '',
        }
      )
    },
    writeBundle: async (kind, name, bundle, { bundles, version }) => {
      const value = Buffer.from(bundle).toString('base64')
      const body = [
        { op: 'test', path: '/metadata/resourceVersion', value: version },
        ...bundles.map((_, at) => ({ op: 'add', path: `/webhooks/${at}/clientConfig/caBundle`, value })),
      ]
      const write =
        kind === 'ValidatingWebhookConfiguration'
          ? registration.patchValidatingWebhookConfiguration({ name, body }, jsonPatch)
          : registration.patchMutatingWebhookConfiguration({ name, body }, jsonPatch)
      return isDone(call(`${kind} ${name}`, write))
    },
  }
}

function loadInto(config: KubeConfig, kubeconfig: string | undefined): void {
  try {
    if (kubeconfig === undefined) config.loadFromCluster()
    else config.loadFromFile(kubeconfig)
  } catch (cause) {
    const what = kubeconfig === undefined ? 'the service account of this pod' : kubeconfig
    throw failure('KUBERNETES_API', `${what} cannot be read: ${(cause as Error).message}`, { cause })
  }
}

class Conflict extends Error {}

/** `undefined` where there is no such thing. @throws KUBERNETES_API, Conflict */
async function asked<T>(what: string, answer: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    return await Promise.race([answer, late])
  } catch (cause) {
    const { code, message } = cause as Partial<ApiException<unknown>> & Error
    if (code === 404) return undefined
    // 422: a `test` of a JSON patch did not hold.
    if (code === 409 || code === 422) throw new Conflict(what, { cause })
    const why = typeof code === 'number' ? `it answered ${code}` : message
    throw failure('KUBERNETES_API', `${what}: ${why}`, { cause })
  } finally {
    clearTimeout(timer)
  }
}

async function isDone(write: Promise<unknown>): Promise<boolean> {
  try {
    return (await write) !== undefined
  } catch (error) {
    if (error instanceof Conflict) return false
    throw error
  }
}

const mapped = (data: Readonly<Record<string, string>>, from: BufferEncoding, to: BufferEncoding) =>
  Object.fromEntries(
    Object.entries(data).map(([name, value]) => [name, Buffer.from(value, from).toString(to)]),
  )
const decoded = (data: Readonly<Record<string, string>>) => mapped(data, 'base64', 'utf8')
const encoded = (data: Readonly<Record<string, string>>) => mapped(data, 'utf8', 'base64')
