import { join, resolve } from 'node:path'
import { isFailure, type Json, limits } from '#base/index.ts'
import {
  type ActionResult,
  ClaimStore,
  checkCredentialSet,
  type Driver,
  detectDrivers,
  formatBundle,
  type GivenParameter,
  NamespacesDriver,
  OciRuntimeDriver,
  openDefinition,
  parseRelocationMapping,
  parseVolume,
  runAction,
  stateDirectory,
} from '#bundle/index.ts'
import { parseReference } from '#oci/index.ts'
import { failure } from './codes.ts'
import type { ActionFlags } from './commands/lifecycle.ts'
import type { Context } from './context.ts'
import { readWhole } from './files.ts'
import { openGateFor } from './gate/gate-for.ts'
import { type OpenedBundle, openBundle } from './open-bundle.ts'
import { type OutputFacts, outputFacts, outputLines } from './output-facts.ts'
import { openSession, type Session } from './session.ts'
import { print, tell } from './shell/print.ts'
import { showProgress } from './shell/progress.ts'
import { readData } from './yaml.ts'

/** What install, upgrade, uninstall and invoke do: run an action, show its log, print how it ended. */
export async function runLifeCycle(
  context: Context,
  flags: ActionFlags,
  request: { readonly name: string; readonly action: string; readonly bundle: string | undefined },
): Promise<void> {
  await using session = await openSession(context, flags)
  const store = await openStore(context, session)
  const { name, action } = request
  const file = flags.relocationMapping
  const mapping =
    file === undefined
      ? undefined
      : parseRelocationMapping(await readWhole(resolve(context.cwd, file), limits.bundleBytes))
  const opened = request.bundle === undefined ? undefined : await openBundle(session, request.bundle, mapping)
  await using gate = await openGateFor(context, session, flags)
  if (gate && opened && action !== 'uninstall') {
    const { admitImages } = await import('./gate/admit.ts')
    const images = opened.bundle.invocationImages.map((image) => {
      const place = mapping && Object.hasOwn(mapping, image.image) ? mapping[image.image] : undefined
      return { image, reference: place ?? image.image }
    })
    await admitImages(gate, 'install', opened, images, { installation: name, action })
  }
  const progress = showProgress(context)
  progress.onProgress({ type: 'phase', name: 'unpacking' })
  const given = opened && (action === 'install' || !(await isInstalled(store, name, opened)))
  const done = await runAction(
    {
      name,
      action,
      ...(given && { bundle: opened.bundle }),
      ...(given && opened.reference !== undefined && { bundleReference: opened.reference }),
      ...(mapping && { mapping }),
      parameters: await parametersOf(context, flags),
      credentialSets: await credentialSetsOf(context, flags),
    },
    {
      store,
      driver: chooseDriver(context, flags, session, store.directory, progress.onProgress),
      locate: locator(session, opened),
      onLog: ({ bytes }) => void context.process.stderr.write(Buffer.from(bytes)),
    },
    session.signal,
  ).finally(progress.end)
  const value = { ...factsOf(done), outputs: outputsOf(done) }
  print(context, session.format, value, () =>
    [
      `${value.installation}: ${value.action} of ${value.bundle.name} ${value.bundle.version} ${value.status}`,
      ...outputLines(value.outputs),
    ].join('\n'),
  )
}

/** Where installations are remembered. */
export async function openStore(context: Context, { settings }: Pick<Session, 'settings'>) {
  return ClaimStore.open(settings.stateDir ?? stateDirectory(context.env))
}

/** A bundle that is installed already is not given again: its relocation mapping counts on. */
async function isInstalled(store: ClaimStore, name: string, { bundle }: OpenedBundle): Promise<boolean> {
  try {
    const last = (await store.history(name)).at(-1)
    return last !== undefined && Buffer.compare(formatBundle(last.claim.bundle), formatBundle(bundle)) === 0
  } catch (error) {
    if (isFailure(error, 'INSTALLATION_NOT_FOUND')) return false
    throw error
  }
}

/** Beside the bundle by its digest, else at the registry that the (relocated) reference names. */
function locator(session: Session, opened: OpenedBundle | undefined) {
  return async (reference: string, signal: AbortSignal) => {
    const parsed = parseReference(reference)
    const entry = opened?.bundle.invocationImages.find(
      ({ image, contentDigest }) =>
        image === reference || (parsed.digest !== undefined && contentDigest === parsed.digest),
    )
    if (opened && entry) return opened.locate(entry, { signal })
    const source = (await session.registries()).repository(parsed)
    return { source, root: await source.resolve(parsed.digest ?? parsed.tag ?? 'latest', { signal }) }
  }
}

/** A volume's folder counts from where the command runs, as every other path. */
function absolute(cwd: string, volume: string): string {
  return /^\.{1,2}(?:\/|:)/.test(volume)
    ? `${resolve(cwd, volume.slice(0, volume.indexOf(':')))}${volume.slice(volume.indexOf(':'))}`
    : volume
}

function chooseDriver(
  context: Context,
  flags: ActionFlags,
  { settings }: Session,
  state: string,
  onProgress: ReturnType<typeof showProgress>['onProgress'],
): Driver {
  const options = {
    workDirectory: join(state, 'work'),
    onProgress,
    volumes: (flags.volume ?? []).map((text) => parseVolume(absolute(context.cwd, text))),
    ...(flags.timeout !== undefined && { timeoutMs: flags.timeout * 1000 }),
  }
  let name = flags.driver ?? settings.driver
  if (name === undefined) {
    const reports = detectDrivers()
    const first = reports.find(({ available }) => available)
    if (!first) {
      throw failure('NO_DRIVER', 'nothing on this machine can run an invocation image', {
        detail: { drivers: reports },
        hint: reports.map((report) => `${report.name}: ${report.why}`).join('\n        '),
      })
    }
    name = first.name
    tell(context, `running with ${first.name} (${first.why})`)
  }
  return name === 'namespaces' ? new NamespacesDriver(options) : new OciRuntimeDriver(options)
}

async function parametersOf(context: Context, flags: ActionFlags): Promise<Record<string, GivenParameter>> {
  const given: Record<string, GivenParameter> = {}
  for (const file of flags.paramFile ?? []) {
    const values = await readData(resolve(context.cwd, file))
    if (typeof values !== 'object' || values === null || Array.isArray(values)) {
      throw failure('USAGE', `${file} does not hold names and values`)
    }
    for (const [name, value] of Object.entries(values)) given[name] = { value: value as Json }
  }
  for (const pair of flags.param ?? []) {
    const equals = pair.indexOf('=')
    // The value may be a secret, so only the name is told.
    if (equals < 1) throw failure('USAGE', 'a --param is not NAME=VALUE')
    const name = pair.slice(0, equals)
    const value = pair.slice(equals + 1)
    given[name] = value.startsWith('@')
      ? { file: await readWhole(resolve(context.cwd, value.slice(1)), limits.bundleBytes) }
      : { text: value }
  }
  return given
}

async function credentialSetsOf(context: Context, flags: ActionFlags) {
  const sets = []
  for (const file of flags.credentialSet ?? []) {
    sets.push(checkCredentialSet(await readData(resolve(context.cwd, file))))
  }
  return sets
}

function factsOf({ claim, result }: ActionResult) {
  const { name, version } = claim.bundle
  return {
    installation: claim.installation,
    action: claim.action,
    status: result.status,
    claimId: claim.id,
    revision: claim.revision,
    bundle: { name, version },
  }
}

/** With what is secret left out, as the bundle declares it. */
function outputsOf({ claim: { bundle }, outputs }: ActionResult): OutputFacts[] {
  return [...outputs].map(([name, value]) => {
    const output = bundle.outputs?.[name]
    const writeOnly = !output || openDefinition(bundle, output.definition).writeOnly
    return outputFacts({ name, writeOnly, sizeBytes: value.length, ...(!writeOnly && { value }) })
  })
}
