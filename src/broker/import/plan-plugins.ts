import type { Json } from '#base/index.ts'
import type { Draft } from './plan-import.ts'

/** Plugins, and where secrets lie. */
export function planPlugins(draft: Draft): void {
  const plugins = draft.at('plugins')
  for (const [at, plugin] of (Array.isArray(plugins) ? plugins : []).entries())
    planPlugin(draft, `plugins[${at}]`, (plugin ?? {}) as Record<string, Json>)
  planSessions(draft)
  planStorage(draft)
}

function planPlugin(
  draft: Draft,
  from: string,
  { name, type, dir_path, ...other }: Record<string, Json>,
): void {
  const kind = typeof type === 'string' ? type : other.storage_backend_type
  if (name === 'resource') {
    if (kind === 'LocalFs' || (kind === undefined && typeof dir_path === 'string')) {
      const folder = typeof dir_path === 'string' ? dir_path : defaultRepository
      draft.resources.push({ kind: 'tree', path: draft.pathOf(folder) })
      draft.did(from, 'resources.stores.main', 'its resources are copied, sealed')
    } else if (kind === 'kvstorage') draft.did(from, 'resources.stores.main', 'see storage_backend')
    else
      draft.cannot(
        from,
        `a store ${JSON.stringify(kind ?? '')} has to be given as a package (docs/broker-extensions.md)`,
      )
  } else if (name === 'nebula-ca')
    draft.cannot(
      from,
      'the pool of addresses has to be said too: write it under `nebula` (docs/broker-nebula.md)',
    )
  else
    draft.cannot(
      from,
      `a plugin ${JSON.stringify(name ?? '')} has to be given as a package (docs/broker-extensions.md)`,
    )
}

/** Where Trustee keeps resources when nobody says. */
const defaultRepository = '/opt/confidential-containers/kbs/repository'

function planSessions(draft: Draft): void {
  const sessions = draft.textAt('session_storage_type')
  if (sessions === undefined) return
  if (sessions.toLowerCase() === 'memory') draft.did('session_storage_type', 'sessions.kind')
  else draft.cannot('session_storage_type', 'sessions are in memory, or in PostgreSQL beside the state')
}

/** What Trustee calls the part of its storage with resources in it. */
const resourceNamespace = 'repository'

function planStorage(draft: Draft): void {
  const from = 'storage_backend.storage_type'
  const kind = draft.textAt(from)?.toLowerCase().replaceAll('_', '')
  const backends = 'storage_backend.backends'
  if (kind === undefined) return
  if (kind === 'memory') draft.did(from, 'state', 'kept in a file here')
  else if (kind === 'localfs') {
    const folder = draft.textAt(`${backends}.local_fs.dir_path`) ?? `${defaultStorage}/local_fs`
    draft.resources.push({ kind: 'folder', path: draft.pathOf(`${folder}/${resourceNamespace}`) })
    draft.did(from, 'resources.stores.main', onlyResources)
    draft.did(`${backends}.local_fs.dir_path`, 'resources.stores.main')
  } else if (kind === 'localjson') {
    const folder = draft.textAt(`${backends}.local_json.file_dir_path`) ?? `${defaultStorage}/local_json`
    draft.resources.push({ kind: 'json', path: draft.pathOf(`${folder}/${resourceNamespace}`) })
    draft.did(from, 'resources.stores.main', onlyResources)
    draft.did(`${backends}.local_json.file_dir_path`, 'resources.stores.main')
  } else
    draft.cannot(
      from,
      `what lies in ${kind} is not copied: bring resources with \`broker resource put\`, policies with \`broker policy set\``,
    )
}

const defaultStorage = '/opt/confidential-containers/storage'
const onlyResources =
  'resources are copied; bring policies and reference values with `broker policy set`, `broker reference import`'
