import { isFailure, type Json } from '#base/index.ts'
import { hostArchitecture } from '#image/index.ts'
import { isObject, type Platform } from '#oci/index.ts'
import { checkBundle } from '../bundle-file.ts'
import type { CnabBundle } from '../bundle-schema.ts'
import type { Claim, Result, ResultStatus } from '../claims/claim.ts'
import type { ClaimRecord, ClaimStore } from '../claims/store.ts'
import { failure } from '../codes.ts'
import { requireExtensions } from '../extensions.ts'
import type { CredentialSet } from '../inputs/credential-set.ts'
import { outputSources } from '../inputs/parameter-sources.ts'
import { type CredentialReaders, machineReaders, resolveCredentials } from '../inputs/resolve-credentials.ts'
import { actionTraits, type GivenParameter, resolveParameters } from '../inputs/resolve-parameters.ts'
import { checkMapping, type RelocationMapping } from '../relocation/mapping.ts'
import { checkOutputs } from '../runtime/check-outputs.ts'
import { type Contract, contractOf } from '../runtime/contract.ts'
import {
  checkContentDigest,
  checkDigests,
  chooseInvocationImage,
  placeOf,
} from '../runtime/invocation-image.ts'
import type { Driver, ImageLocation, LogEvent, Operation } from '../runtime/operation.ts'
import { isUninstalled, lastModifying, lastOutputs } from './history.ts'
import { LogWriter } from './log-writer.ts'

export interface ActionRequest {
  /** The installation. */
  readonly name: string
  /** install, upgrade, uninstall, or one of the bundle's own. */
  readonly action: string
  /** Needed to install; else that of the last claim where it is not given. */
  readonly bundle?: CnabBundle
  /** Where the bundle came from, with its digest (400). */
  readonly bundleReference?: string
  readonly parameters?: Readonly<Record<string, GivenParameter>>
  readonly credentialSets?: readonly CredentialSet[]
  /** That of the last claim where neither it nor a bundle is given. */
  readonly mapping?: RelocationMapping
}

/** What actions work with. */
export interface ActionContext {
  readonly store: ClaimStore
  readonly driver: Driver
  /** Finds an image by reference, wherever it is: a registry, an archive. */
  readonly locate: (reference: string, signal: AbortSignal) => Promise<ImageLocation>
  readonly credentials?: CredentialReaders
  readonly onLog?: (event: LogEvent) => void | Promise<void>
  /** linux on this processor where it is not said. */
  readonly platform?: Platform
}

export interface ActionResult {
  readonly claim: Claim
  readonly result: Result
  /** By name, defaults included. */
  readonly outputs: ReadonlyMap<string, Uint8Array>
}

const customKey = 'io.sealift'

/**
 * Runs one action on an installation and remembers it (102, 103, 400): everything is checked before anything is
 * written or run. A stateless action leaves no record.
 *
 * @throws ACTION_FAILED with `detail.exitCode`, ACTION_TIMEOUT, ACTION_CANCELED, ACTION_UNKNOWN, INSTALLATION_NAME,
 * INSTALLATION_EXISTS, INSTALLATION_NOT_FOUND, INSTALLATION_BUSY, EXTENSION_UNSUPPORTED, IMAGE_DIGEST,
 * RELOCATION_INVALID, INVOCATION_IMAGE_UNSUPPORTED, OUTPUT_MISSING, OUTPUT_INVALID, the codes of
 * `resolveParameters`, `resolveCredentials` and `contractOf`, and those of the driver
 */
export async function runAction(
  request: ActionRequest,
  context: ActionContext,
  signal: AbortSignal,
): Promise<ActionResult> {
  const { store } = context
  const stateless = request.bundle && actionTraits(request.bundle, request.action).stateless
  if (stateless) return runStateless(request, context, signal)
  await using _lock = await store.lock(request.name)
  const history = await store.history(request.name).catch((error: unknown) => {
    if (isFailure(error, 'INSTALLATION_NOT_FOUND') && request.action === 'install') return []
    throw error
  })
  await settleInterrupted(store, history)
  const last = lastModifying(history)
  checkState(request, last)
  if (!request.bundle && last && actionTraits(last.claim.bundle, request.action).stateless) {
    return await runStateless({ ...request, bundle: last.claim.bundle }, context, signal)
  }
  const prepared = await prepare(request, context, history, signal)
  await store.addClaim(prepared.claim)
  await store.addResult(request.name, resultOf(store, prepared.claim, 'running'))
  return await carryOut(prepared, context, signal)
}

interface Prepared {
  readonly claim: Claim
  readonly contract: Contract
  readonly reference: string
  readonly image: ImageLocation
}

async function prepare(
  request: ActionRequest,
  context: ActionContext,
  history: readonly ClaimRecord[],
  signal: AbortSignal,
): Promise<Prepared> {
  const { store, driver, platform = { os: 'linux', architecture: hostArchitecture() } } = context
  const last = lastModifying(history)
  const bundle = request.bundle ?? (last && checkBundle(last.claim.bundle as unknown as Json))
  if (!bundle) throw failure('INSTALLATION_NOT_FOUND', `there is no installation ${request.name}`)
  const mapping = request.mapping ?? (request.bundle ? undefined : rememberedMapping(last?.claim))
  const traits = actionTraits(bundle, request.action)
  requireExtensions(bundle)
  checkDigests(bundle)
  if (mapping) checkMapping(bundle, mapping)
  const fresh = request.action === 'install'
  const sourced = fresh ? {} : await fromOutputs(bundle, store, request.name, history)
  const remembered = fresh ? {} : givenParameters(history.at(-1)?.claim)
  const given = { ...sourced, ...request.parameters }
  const parameters = resolveParameters(bundle, request.action, given, {
    previous: remembered,
  })
  const credentials = await resolveCredentials(
    bundle,
    { name: request.action, stateless: traits.stateless },
    request.credentialSets ?? [],
    context.credentials ?? machineReaders,
    { signal },
  )
  const invocation = chooseInvocationImage(bundle, driver.imageTypes, platform)
  const reference = placeOf(invocation, mapping)
  const image = await context.locate(reference, signal)
  checkContentDigest(invocation, image)
  const id = store.newId()
  const claim: Claim = {
    id,
    installation: request.name,
    revision: traits.modifies ? id : (last?.claim.revision ?? id),
    action: request.action,
    bundle,
    created: store.moment(),
    ...(request.bundleReference !== undefined && { bundleReference: request.bundleReference }),
    parameters: { ...remembered, ...parameters },
    custom: {
      [customKey]: {
        given: [...new Set([...Object.keys(remembered), ...Object.keys(request.parameters ?? {})])],
        ...(mapping && { relocationMapping: { ...mapping } }),
      },
    },
  }
  return {
    claim,
    contract: contractOf({ bundle, claim, parameters, credentials, mapping }),
    reference,
    image,
  }
}

async function carryOut(
  { claim, contract, reference, image }: Prepared,
  { store, driver, onLog }: ActionContext,
  signal: AbortSignal,
): Promise<ActionResult> {
  const name = claim.installation
  try {
    let exitCode: number
    let written: ReadonlyMap<string, Uint8Array>
    {
      await using log = new LogWriter(await store.openLog(name, claim.id))
      const tellAll = async (event: LogEvent) => {
        await log.write(event)
        await onLog?.(event)
      }
      ;({ exitCode, outputs: written } = await driver.run(
        operationOf(claim, contract, reference, image, tellAll),
        signal,
      ))
    }
    checkExit(claim, exitCode)
    const outputs = checkOutputs(claim.bundle, contract.outputs.keys(), written)
    const kept: [string, NonNullable<Result['outputs']>[string]][] = []
    for (const [output, value] of outputs) {
      kept.push([output, { contentDigest: await store.addOutput(name, value) }])
    }
    const result = { ...resultOf(store, claim, 'succeeded'), outputs: Object.fromEntries(kept) }
    await store.addResult(name, result)
    return { claim, result, outputs }
  } catch (error) {
    const status = isFailure(error, 'ACTION_CANCELED') || signal.aborted ? 'canceled' : 'failed'
    const message = isFailure(error) ? error.message : 'the runtime failed'
    await store.addResult(name, { ...resultOf(store, claim, status), message })
    throw error
  }
}

/** 101: no credentials needed, no record kept; an installation there may be, but need not. */
async function runStateless(
  request: ActionRequest,
  context: ActionContext,
  signal: AbortSignal,
): Promise<ActionResult> {
  const { store, driver, onLog } = context
  const { claim, contract, reference, image } = await prepare(request, context, [], signal)
  const operation = operationOf(claim, contract, reference, image, onLog)
  const { exitCode, outputs: written } = await driver.run(operation, signal)
  checkExit(claim, exitCode)
  const outputs = checkOutputs(claim.bundle, contract.outputs.keys(), written)
  return { claim, result: resultOf(store, claim, 'succeeded'), outputs }
}

function operationOf(
  claim: Claim,
  contract: Contract,
  reference: string,
  image: ImageLocation,
  onLog: Operation['onLog'],
): Operation {
  const { installation, action, revision } = claim
  return { installation, action, revision, reference, image, ...contract, ...(onLog && { onLog }) }
}

function checkExit(claim: Claim, exitCode: number): void {
  if (exitCode === 0) return
  throw failure(
    'ACTION_FAILED',
    `${claim.action} of ${claim.installation} ended with the exit code ${exitCode}`,
    {
      detail: { exitCode, claimId: claim.id, installation: claim.installation },
    },
  )
}

function checkState({ name, action, bundle }: ActionRequest, last: ClaimRecord | undefined): void {
  const isThere = last !== undefined && !isUninstalled(last)
  if (action !== 'install') {
    if (!isThere) throw failure('INSTALLATION_NOT_FOUND', `there is no installation ${name}`)
    return
  }
  if (!bundle) throw failure('INSTALLATION_NOT_FOUND', `there is no bundle to install ${name} from`)
  // A first install that failed may be tried again.
  const failedInstall = last?.claim.action === 'install' && last.result?.status !== 'succeeded'
  if (isThere && !failedInstall)
    throw failure('INSTALLATION_EXISTS', `there is an installation ${name} already`)
}

/** What a killed process left as running is neither failed nor succeeded. The lock is held, so nobody runs it. */
async function settleInterrupted(store: ClaimStore, history: ClaimRecord[]): Promise<void> {
  for (const [at, { claim, result }] of history.entries()) {
    if (result && result.status !== 'running' && result.status !== 'pending') continue
    const settled = {
      ...resultOf(store, claim, 'unknown'),
      message: 'the process that ran this action ended before it did',
    }
    await store.addResult(claim.installation, settled)
    history[at] = { claim, result: settled }
  }
}

async function fromOutputs(
  bundle: CnabBundle,
  store: ClaimStore,
  name: string,
  history: readonly ClaimRecord[],
): Promise<Record<string, GivenParameter>> {
  const given: Record<string, GivenParameter> = {}
  const known = lastOutputs(history)
  for (const [parameter, output] of outputSources(bundle)) {
    const found = known.get(output)
    if (found && Object.hasOwn(bundle.parameters ?? {}, parameter)) {
      given[parameter] = { text: Buffer.from(await store.output(name, found.digest)).toString() }
    }
  }
  return given
}

/** What Sealift keeps in a claim beside what 400 names. */
function customOf(claim: Claim | undefined): { readonly [key: string]: Json } {
  const custom = isObject(claim?.custom) ? claim.custom[customKey] : undefined
  return isObject(custom) ? custom : {}
}

function rememberedMapping(claim: Claim | undefined): RelocationMapping | undefined {
  const { relocationMapping } = customOf(claim)
  return isObject(relocationMapping) ? (relocationMapping as Record<string, string>) : undefined
}

/** The values that somebody gave, not those that were defaults: a new bundle may have better ones. */
function givenParameters(claim: Claim | undefined): Record<string, Json> {
  const { given } = customOf(claim)
  const names = new Set(Array.isArray(given) ? given : [])
  return Object.fromEntries(Object.entries(claim?.parameters ?? {}).filter(([name]) => names.has(name)))
}

function resultOf(store: ClaimStore, claim: Claim, status: ResultStatus): Result {
  return { id: store.newId(), claimId: claim.id, created: store.moment(), status }
}
