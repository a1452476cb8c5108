import type { BundlePublisher } from '../certificates/certificate-state.ts'
import { failure } from '../codes.ts'
import type { ClusterApi, WebhookConfigurationKind } from './cluster-api.ts'

const kinds: readonly WebhookConfigurationKind[] = [
  'ValidatingWebhookConfiguration',
  'MutatingWebhookConfiguration',
]
const attempts = 5

/**
 * Writes the bundle into both configurations of this name, where they carry another one. One of them has to be
 * there; the other may be left out.
 */
export function webhookBundles(api: ClusterApi, name: string): BundlePublisher {
  return {
    publish: async (bundle) => {
      const found = await Promise.all(kinds.map((kind) => publishTo(api, kind, name, bundle)))
      if (!found.includes(true)) {
        throw failure('KUBERNETES_API', `there is no webhook configuration ${name}`)
      }
    },
  }
}

/** Whether there is such a configuration. */
async function publishTo(api: ClusterApi, kind: WebhookConfigurationKind, name: string, bundle: string) {
  for (let attempt = 0; attempt < attempts; attempt++) {
    const configuration = await api.webhookConfiguration(kind, name)
    if (configuration === undefined) return false
    if (configuration.bundles.every((known) => known === bundle)) return true
    if (await api.writeBundle(kind, name, bundle, configuration)) return true
  }
  throw failure('KUBERNETES_API', `${kind} ${name} is changed by others all the time`)
}
