import type {
  ClusterApi,
  Secret,
  WebhookConfiguration,
  WebhookConfigurationKind,
} from '../kubernetes/cluster-api.ts'

/** A Kubernetes API in memory, with the versions of a real one. */
export class TestCluster implements ClusterApi {
  readonly secrets = new Map<string, Secret>()
  readonly configurations = new Map<string, WebhookConfiguration>()
  writes = 0
  /** So many writes find that somebody else wrote in between. */
  interfere = 0
  #version = 100

  add(kind: WebhookConfigurationKind, name: string, webhooks: number): void {
    this.configurations.set(`${kind}/${name}`, { bundles: Array(webhooks).fill(''), version: '1' })
  }

  async secret(namespace: string, name: string) {
    return this.secrets.get(`${namespace}/${name}`)
  }

  async writeSecret(namespace: string, name: string, secret: Secret) {
    const key = `${namespace}/${name}`
    if (this.#isLate(this.secrets.get(key)?.version ?? '', secret.version)) return false
    this.secrets.set(key, { data: secret.data, version: this.#next() })
    return true
  }

  async webhookConfiguration(kind: WebhookConfigurationKind, name: string) {
    return this.configurations.get(`${kind}/${name}`)
  }

  async writeBundle(kind: WebhookConfigurationKind, name: string, bundle: string, of: WebhookConfiguration) {
    const key = `${kind}/${name}`
    if (this.#isLate(this.configurations.get(key)?.version ?? '', of.version)) return false
    this.configurations.set(key, { bundles: of.bundles.map(() => bundle), version: this.#next() })
    return true
  }

  #isLate(is: string, was: string): boolean {
    if (this.interfere > 0) {
      this.interfere--
      return true
    }
    return is !== was
  }

  #next(): string {
    this.writes++
    return String(++this.#version)
  }
}
