import { join } from 'node:path'
import { type Audit, ContentGate, KnownReleases, releaseDirectory, ServingGate } from '#gate/index.ts'
import { isRegistryHost } from '#oci/index.ts'
import type { OnAccess, RegistryServerOptions } from '#registry/server/index.ts'
import { gatherProofs } from '#trust/index.ts'
import { type WatchedRules, watchRules } from '../admission/watched-rules.ts'
import type { Context } from '../context.ts'
import type { Opened } from '../open-location.ts'
import type { Session } from '../session.ts'
import { tell } from '../shell/print.ts'
import { auditDirectory, shareAuditPlace } from './audit-place.ts'
import type { GateFlags } from './flags.ts'
import { archiveHolders } from './holders.ts'
import { loadRules, rulesPath } from './load-rules.ts'

/** What a registry server asks before it sends content, and where it tells who read what. */
export interface OpenedServing extends AsyncDisposable {
  readonly options: Pick<RegistryServerOptions, 'admission' | 'onAccess'>
}

/**
 * The gate for a registry that is served, where a policy is named; and the record of who read what, where there are
 * rules of access.
 *
 * @param listen HOST:PORT: repositories without a host of their own are known to the policy under it
 * @param opened the archive that is served, whose proofs count for all that it holds
 */
export async function openServing(
  context: Context,
  session: Session,
  flags: GateFlags & { readonly access?: string },
  listen: string,
  opened?: Pick<Opened, 'container'>,
): Promise<OpenedServing> {
  await using stack = new AsyncDisposableStack()
  const directory = auditDirectory(context, session.settings, flags)
  const audit = stack.use(await shareAuditPlace(directory))
  const path = rulesPath(context, session.settings, flags)
  const rules = path === undefined ? undefined : stack.use(await watched(context, session, path))
  const options = {
    ...(rules && {
      admission: (await servingGate(session, flags, rules, audit, directory, listen, opened)).admit,
    }),
    ...(flags.access !== undefined && { onAccess: recordsTo(audit) }),
  }
  const kept = stack.move()
  return { options, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

const watched = (context: Context, { settings }: Session, path: string): Promise<WatchedRules> =>
  watchRules(
    path,
    () => loadRules(context, settings, path),
    (error) =>
      tell(
        context,
        error === undefined ? 'policy: read again' : `policy: kept, the new one is unusable: ${error}`,
      ),
  )

async function servingGate(
  { settings }: Session,
  flags: GateFlags,
  rules: WatchedRules,
  audit: Audit,
  directory: string,
  listen: string,
  opened?: Pick<Opened, 'container'>,
): Promise<ServingGate> {
  const releases = new KnownReleases(releaseDirectory(join(directory, 'releases')))
  return new ServingGate({
    gate: new ContentGate({ rules: rules.current, audit, releases }),
    environment: flags.environment ?? settings.environment ?? 'production',
    referenceOf: (name) => (hasHost(name) ? name : `${listen}/${name}`),
    proofsOf: (repository, content, signal) => Array.fromAsync(gatherProofs(repository, content, { signal })),
    around: await archiveHolders(opened),
  })
}

/** Each reading of what is not for everybody, as an entry of the audit log. */
function recordsTo(audit: Audit): OnAccess {
  return async ({ principal, verb, repository, reference, digest, allowed, reason }) => {
    const { kind, name, groups } = principal
    await audit.append({
      type: 'access',
      at: new Date().toISOString(),
      principal: { kind, name, ...(groups && { groups }) },
      verb,
      repository: repository ?? '',
      ...(reference !== undefined && { reference }),
      ...(digest !== undefined && { digest }),
      allowed,
      ...(reason !== undefined && { reason }),
    })
  }
}

/** Repositories of an archive are called after the registry that they come from. */
function hasHost(name: string): boolean {
  const slash = name.indexOf('/')
  return slash > 0 && isRegistryHost(name.slice(0, slash)) && /[.:]|^localhost$/.test(name.slice(0, slash))
}
