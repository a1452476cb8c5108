import type { Json } from '#base/index.ts'
import type { Draft } from './plan-import.ts'

/** Plugins and sessions. */
export function planPlugins(draft: Draft): void {
  const plugins = draft.at('plugins')
  for (const [at, plugin] of (Array.isArray(plugins) ? plugins : []).entries())
    planPlugin(draft, `plugins[${at}]`, (plugin ?? {}) as Record<string, Json>)
  planSessions(draft)
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
