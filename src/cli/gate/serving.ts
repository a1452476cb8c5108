import { join } from 'node:path'
import { ContentGate, KnownReleases, releaseDirectory, ServingGate } from '#gate/index.ts'
import { isRegistryHost } from '#oci/index.ts'
import type { Admission } from '#registry/server/index.ts'
import { gatherProofs } from '#trust/index.ts'
import { watchRules } from '../admission/watched-rules.ts'
import type { Context } from '../context.ts'
import type { Opened } from '../open-location.ts'
import type { Session } from '../session.ts'
import { tell } from '../shell/print.ts'
import { auditDirectory, shareAuditPlace } from './audit-place.ts'
import type { GateFlags } from './flags.ts'
import { archiveHolders } from './holders.ts'
import { loadRules, rulesPath } from './load-rules.ts'

/** What a registry server asks before it sends content. */
export interface OpenedServing extends AsyncDisposable {
  readonly admission: Admission
}

/**
 * The gate for a registry that is served; undefined where no policy is named.
 *
 * @param listen HOST:PORT: repositories without a host of their own are known to the policy under it
 * @param opened the archive that is served, whose proofs count for all that it holds
 */
export async function openServing(
  context: Context,
  session: Session,
  flags: GateFlags,
  listen: string,
  opened?: Pick<Opened, 'container'>,
): Promise<OpenedServing | undefined> {
  const { settings } = session
  const path = rulesPath(context, settings, flags)
  if (path === undefined) return undefined
  await using stack = new AsyncDisposableStack()
  const rules = stack.use(
    await watchRules(
      path,
      () => loadRules(context, settings, path),
      (error) =>
        tell(
          context,
          error === undefined ? `policy: read again` : `policy: kept, the new one is unusable: ${error}`,
        ),
    ),
  )
  const directory = auditDirectory(context, settings, flags)
  const audit = stack.use(await shareAuditPlace(directory))
  const releases = new KnownReleases(releaseDirectory(join(directory, 'releases')))
  const around = await archiveHolders(opened)
  const serving = new ServingGate({
    gate: new ContentGate({ rules: rules.current, audit, releases }),
    environment: flags.environment ?? settings.environment ?? 'production',
    referenceOf: (name) => (hasHost(name) ? name : `${listen}/${name}`),
    proofsOf: (repository, content, signal) => Array.fromAsync(gatherProofs(repository, content, { signal })),
    around,
  })
  const kept = stack.move()
  return { admission: serving.admit, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

/** Repositories of an archive are called after the registry that they come from. */
function hasHost(name: string): boolean {
  const slash = name.indexOf('/')
  return slash > 0 && isRegistryHost(name.slice(0, slash)) && /[.:]|^localhost$/.test(name.slice(0, slash))
}
