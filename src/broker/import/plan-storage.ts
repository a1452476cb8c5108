import type { Draft, StoredSource } from './plan-import.ts'

// Trustee keeps everything in one storage, by namespaces (kbs/docs/config.md): folders with a file for each key, or a
// file of all keys for each namespace.

const typeMember = 'storage_backend.storage_type'
const backends = 'storage_backend.backends'
const defaultStorage = '/opt/confidential-containers/storage'
const namespaces = {
  resourcePolicy: 'kbs',
  attestationPolicies: 'attestation_service_policy',
  references: 'reference_value',
} as const

/** Secrets and policies. */
export function planStorage(draft: Draft): void {
  const named = draft.textAt(typeMember)
  if (named === undefined) return
  const kind = plain(named)
  const resources = sourceOf(draft, kind, 'repository')
  if (resources) {
    draft.resources.push(resources)
    for (const holds of ['resourcePolicy', 'attestationPolicies'] as const)
      draft.stored.push({ ...sourceOf(draft, kind, namespaces[holds])!, holds })
    draft.did(typeMember, 'resources.stores.main, state', 'resources and policies are copied, sealed')
    const member = memberOf(kind)!
    if (draft.textAt(member) !== undefined) draft.did(member, 'resources.stores.main, state')
  } else if (kind === 'memory') draft.did(typeMember, 'state', 'kept in a file here')
  else
    draft.cannot(
      typeMember,
      `what lies in ${kind} is not copied: bring resources with \`broker resource put\`, policies with \`broker policy set\``,
    )
}

/** Reference values: in the same storage, where nothing else is said of them. */
export function planReferences(draft: Draft): void {
  const from = 'attestation_service.rvps_config'
  const type = draft.textAt(`${from}.type`)
  if (type !== undefined && plain(type) !== 'builtin') {
    draft.cannot(from, bring)
    return
  }
  const own = draft.textAt(`${from}.storage_type`)
  const source = sourceOf(draft, plain(own ?? draft.textAt(typeMember) ?? 'memory'), namespaces.references)
  if (source) draft.stored.push({ ...source, holds: 'references' })
  if (type !== undefined) draft.did(`${from}.type`, 'state', source ? 'reference values are copied' : bring)
  if (own === undefined) return
  if (source) draft.did(`${from}.storage_type`, 'state')
  else draft.cannot(`${from}.storage_type`, bring)
}

const bring = 'bring reference values with `sealift broker reference import`'

/** Trustee takes `LocalFs` and `local_fs`. */
const plain = (text: string) => text.toLowerCase().replaceAll('_', '')

function sourceOf(draft: Draft, kind: string, namespace: string): Omit<StoredSource, 'holds'> | undefined {
  const member = memberOf(kind)
  if (member === undefined) return undefined
  const isFolder = kind === 'localfs'
  const folder = draft.textAt(member) ?? `${defaultStorage}/${isFolder ? 'local_fs' : 'local_json'}`
  return { kind: isFolder ? 'folder' : 'json', path: draft.pathOf(`${folder}/${namespace}`) }
}

const memberOf = (kind: string): string | undefined =>
  kind === 'localfs'
    ? `${backends}.local_fs.dir_path`
    : kind === 'localjson'
      ? `${backends}.local_json.file_dir_path`
      : undefined
