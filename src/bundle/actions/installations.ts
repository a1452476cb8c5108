import type { Json, OpenFile } from '#base/index.ts'
import type { ResultStatus } from '../claims/claim.ts'
import type { ClaimRecord, ClaimStore } from '../claims/store.ts'
import { failure } from '../codes.ts'
import { openDefinition } from '../definition/definition.ts'
import { shownParameters } from '../inputs/resolve-parameters.ts'
import { isUninstalled, lastModifying, lastOutputs } from './history.ts'

/** An installation in a list. */
export interface InstallationSummary {
  readonly name: string
  readonly bundle: string
  readonly version: string
  /** The last action, whether it modified or not. */
  readonly action: string
  readonly status: ResultStatus
  readonly isUninstalled: boolean
  readonly revision: string
  /** When it was first installed, and when the last action began: ISO 8601. */
  readonly created: string
  readonly modified: string
}

export interface InstallationDetail extends InstallationSummary {
  readonly bundleReference?: string
  /** What must not be shown is replaced. */
  readonly parameters: Readonly<Record<string, Json>>
  readonly outputs: readonly string[]
  readonly history: readonly {
    readonly claimId: string
    readonly action: string
    readonly created: string
    readonly status: ResultStatus
    readonly message?: string
  }[]
}

/** One output as it is shown: without its value where the definition says writeOnly. */
export interface ShownOutput {
  readonly name: string
  readonly writeOnly: boolean
  readonly sizeBytes: number
  readonly value?: Uint8Array
}

/** All installations, in byte order of their names. @throws CLAIM_INVALID */
export async function listInstallations(store: ClaimStore): Promise<InstallationSummary[]> {
  const summaries: InstallationSummary[] = []
  for (const name of await store.installations()) {
    summaries.push(summaryOf(name, await store.history(name), await store.isLocked(name)))
  }
  return summaries
}

/** @throws INSTALLATION_NOT_FOUND, CLAIM_INVALID */
export async function showInstallation(store: ClaimStore, name: string): Promise<InstallationDetail> {
  const history = await store.history(name)
  const isLocked = await store.isLocked(name)
  const { claim } = history.at(-1) as ClaimRecord
  return {
    ...summaryOf(name, history, isLocked),
    ...(claim.bundleReference !== undefined && { bundleReference: claim.bundleReference }),
    parameters: shownParameters(claim.bundle, claim.parameters),
    outputs: [...lastOutputs(history).keys()],
    history: history.map((record) => ({
      claimId: record.claim.id,
      action: record.claim.action,
      created: record.claim.created,
      status: statusOf(record, isLocked),
      ...(record.result?.message !== undefined && { message: record.result.message }),
    })),
  }
}

/**
 * The newest value of each output, or of the one that is named.
 *
 * @param reveal whether values that are writeOnly are given, to one who asked for just that
 * @throws INSTALLATION_NOT_FOUND, OUTPUT_MISSING, CLAIM_INVALID
 */
export async function readOutputs(
  store: ClaimStore,
  installation: string,
  options: { readonly name?: string; readonly reveal?: boolean } = {},
): Promise<ShownOutput[]> {
  const all = lastOutputs(await store.history(installation))
  if (options.name !== undefined && !all.has(options.name)) {
    throw failure('OUTPUT_MISSING', `${installation} has no output ${options.name}`)
  }
  const shown: ShownOutput[] = []
  for (const [name, { digest, record }] of all) {
    if (options.name !== undefined && name !== options.name) continue
    const { bundle } = record.claim
    const output = bundle.outputs?.[name]
    const writeOnly = !output || openDefinition(bundle, output.definition).writeOnly
    const value = await store.output(installation, digest)
    const isShown = !writeOnly || options.reveal === true
    shown.push({ name, writeOnly, sizeBytes: value.length, ...(isShown && { value }) })
  }
  return shown
}

/** The log of an action, of the last one where none is named; to be closed by the caller. @throws INSTALLATION_NOT_FOUND */
export async function openLog(store: ClaimStore, installation: string, claimId?: string): Promise<OpenFile> {
  const history = await store.history(installation)
  const record = claimId === undefined ? history.at(-1) : history.find(({ claim }) => claim.id === claimId)
  const file = record && (await store.readLog(installation, record.claim.id))
  if (file) return file
  throw failure('INSTALLATION_NOT_FOUND', `${installation} has no log of ${claimId ?? 'its last action'}`)
}

function summaryOf(name: string, history: readonly ClaimRecord[], isLocked: boolean): InstallationSummary {
  const last = history.at(-1) as ClaimRecord
  const modifying = lastModifying(history) ?? last
  const installed = history.findLast(({ claim }) => claim.action === 'install') ?? last
  return {
    name,
    bundle: last.claim.bundle.name,
    version: last.claim.bundle.version,
    action: last.claim.action,
    status: statusOf(last, isLocked),
    isUninstalled: isUninstalled(modifying),
    revision: last.claim.revision,
    created: installed.claim.created,
    modified: last.claim.created,
  }
}

/** What says it is running, while nobody holds the lock, was killed. */
function statusOf({ result }: ClaimRecord, isLocked: boolean): ResultStatus {
  const status = result?.status ?? 'pending'
  return !isLocked && (status === 'running' || status === 'pending') ? 'unknown' : status
}
