import type { Repository } from '#content/index.ts'
import { isRegistryHost } from '#oci/index.ts'
import type { AccessDecision } from './access.ts'
import { type Context, mayUse, refuse } from './context.ts'
import type { Exchange } from './exchange.ts'
import { Refusal, type WireCode } from './refusal.ts'

/** What was found, and the repository that has it. */
export interface Readable<T> {
  readonly repository: Repository
  readonly name: string
  readonly found: T
  /** Why it may be read. */
  readonly decision: AccessDecision
}

/**
 * Looks for something to read. A client that uses us as a mirror names the registry it really means in `ns`
 * (containerd's hosts.toml): the repository of that whole name is asked first, then the one named in the path.
 *
 * @throws Refusal 401, 403, 404
 */
export async function findReadable<T>(
  context: Context,
  exchange: Exchange,
  path: string,
  missing: WireCode,
  look: (repository: Repository) => Promise<T | undefined>,
  verb: 'pull' | 'list' = 'pull',
): Promise<Readable<T>> {
  let refused: { readonly repository: string; readonly decision: AccessDecision } | undefined
  let anyRepository = false
  for (const name of candidates(exchange, path)) {
    const decision = await mayUse(context, exchange, verb, name)
    if (!decision.allowed) {
      refused = { repository: name, decision }
      continue
    }
    const repository = await context.repositories.repository(name)
    if (!repository) continue
    anyRepository = true
    const found = await look(repository)
    if (found !== undefined) return { repository, name, found, decision }
  }
  if (refused) return await refuse(context, exchange, verb, refused)
  if (!anyRepository) throw new Refusal(404, 'NAME_UNKNOWN', `there is no repository ${path}`)
  throw new Refusal(404, missing, `it is not in the repository ${path}`)
}

function candidates(exchange: Exchange, path: string): readonly string[] {
  const registry = exchange.query.get('ns')
  return registry !== null && isRegistryHost(registry) ? [`${registry}/${path}`, path] : [path]
}
