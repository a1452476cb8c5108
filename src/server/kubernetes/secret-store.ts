import { canonicalJson } from '#base/index.ts'
import { bundleOf, type CertificateStore, parseState } from '../certificates/certificate-state.ts'
import type { ClusterApi } from './cluster-api.ts'

const member = 'certificates.json'

/** Keeps the state of all replicas in one Secret; its resource version says who was first. */
export function secretStore(api: ClusterApi, namespace: string, name: string): CertificateStore {
  return {
    load: async () => {
      const secret = await api.secret(namespace, name)
      const text = secret?.data[member]
      // The manifests bring an empty Secret, so that nobody needs the right to create one.
      const state = text === undefined || text === '' ? undefined : parseState(Buffer.from(text))
      return { state, version: secret?.version ?? '' }
    },
    save: (state, version) => {
      const text = Buffer.from(canonicalJson(state)).toString()
      return api.writeSecret(namespace, name, {
        data: { [member]: text, 'ca.crt': bundleOf(state) },
        version,
      })
    },
  }
}
