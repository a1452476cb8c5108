import { canonicalJson, type Json } from '#base/index.ts'
import { formatBundle } from '../bundle-file.ts'
import { outputsDirectory, rooted } from '../bundle-rules.ts'
import type { CnabBundle } from '../bundle-schema.ts'
import type { Claim } from '../claims/claim.ts'
import { failure } from '../codes.ts'
import { appliesTo, parameterText } from '../inputs/resolve-parameters.ts'
import { formatRelocationMapping, type RelocationMapping } from '../relocation/mapping.ts'

/** 400: what CNAB_CLAIMS_VERSION says. */
export const claimsVersion = 'CNAB-Claims-1.0.0'
const paths = {
  bundle: '/cnab/bundle.json',
  claim: '/cnab/claim.json',
  mapping: '/cnab/app/relocation-mapping.json',
  imageMap: '/cnab/app/image-map.json',
  run: '/cnab/app/run',
} as const

export interface ContractInput {
  readonly bundle: CnabBundle
  readonly claim: Claim
  readonly parameters: Readonly<Record<string, Json>>
  readonly credentials: ReadonlyMap<string, Uint8Array>
  readonly mapping?: RelocationMapping | undefined
}

/** What the contract puts into an invocation image (102, 103), and what it takes out. */
export interface Contract {
  readonly environment: Record<string, string>
  readonly files: Map<string, Uint8Array>
  readonly outputs: Map<string, string>
}

/**
 * Builds the contract of one action. Credentials win over parameters, and what the runtime itself sets wins over
 * both; among equals, two that claim one place are refused.
 *
 * @throws OPERATION_INVALID
 */
export function contractOf(input: ContractInput): Contract {
  const { bundle, claim, mapping } = input
  const environment = new Layers<string>()
  const files = new Layers<Uint8Array>()
  addParameters(input, environment, files)
  addCredentials(input, environment, files)
  for (const [name, value] of Object.entries(variables(claim))) environment.set(2, name, value, name)
  const own: [string, Uint8Array][] = [
    [paths.bundle, formatBundle(bundle)],
    [paths.claim, canonicalJson(claim)],
    // Gone from the spec with 1.2, and still given by cnab-go: run tools read it.
    [paths.imageMap, canonicalJson(bundle.images ?? {})],
  ]
  if (mapping) own.push([paths.mapping, formatRelocationMapping(mapping)])
  for (const [path, bytes] of own) files.set(2, path, bytes, path)
  checkPaths([...files.values().keys()])
  return {
    environment: Object.fromEntries(environment.values()),
    files: files.values(),
    outputs: outputsOf(bundle, claim.action),
  }
}

function variables(claim: Claim): Record<string, string> {
  return {
    CNAB_INSTALLATION_NAME: claim.installation,
    CNAB_BUNDLE_NAME: claim.bundle.name,
    CNAB_BUNDLE_VERSION: claim.bundle.version,
    CNAB_ACTION: claim.action,
    CNAB_REVISION: claim.revision,
    CNAB_CLAIMS_VERSION: claimsVersion,
  }
}

function addParameters(
  { bundle, claim, parameters }: ContractInput,
  environment: Layers<string>,
  files: Layers<Uint8Array>,
): void {
  for (const [name, parameter] of Object.entries(bundle.parameters ?? {})) {
    if (!appliesTo(parameter, claim.action)) continue
    const text = parameterText(Object.hasOwn(parameters, name) ? parameters[name] : undefined)
    const { env, path } = parameter.destination
    if (env !== undefined) environment.set(0, env, checkText(name, text), `the parameter ${name}`)
    if (path !== undefined) files.set(0, rooted(path), Buffer.from(text), `the parameter ${name}`)
  }
}

function addCredentials(
  { bundle, credentials }: ContractInput,
  environment: Layers<string>,
  files: Layers<Uint8Array>,
): void {
  for (const [name, bytes] of credentials) {
    const { env, path } = bundle.credentials?.[name] ?? {}
    if (env !== undefined) {
      environment.set(1, env, checkText(name, Buffer.from(bytes).toString()), `the credential ${name}`)
    }
    if (path !== undefined) files.set(1, rooted(path), bytes, `the credential ${name}`)
  }
}

function checkText(name: string, text: string): string {
  if (!text.includes('\0')) return text
  throw failure('OPERATION_INVALID', `the value of ${name} holds a NUL, so it cannot be a variable`)
}

function outputsOf(bundle: CnabBundle, action: string): Map<string, string> {
  const applying = Object.entries(bundle.outputs ?? {}).filter(([, output]) => appliesTo(output, action))
  return new Map(applying.map(([name, { path }]) => [name, path]))
}

/** No file may be where another one needs a folder, nor where the run tool itself is. */
function checkPaths(files: readonly string[]): void {
  const sorted = [...files, paths.run, outputsDirectory].sort()
  const taken = new Set(sorted)
  if (taken.size < sorted.length) throw failure('OPERATION_INVALID', `a value would replace ${paths.run}`)
  for (const path of sorted) {
    for (let at = path.indexOf('/', 1); at > 0; at = path.indexOf('/', at + 1)) {
      if (taken.has(path.slice(0, at))) {
        throw failure('OPERATION_INVALID', `${path.slice(0, at)} would be a file and the folder of ${path}`)
      }
    }
  }
}

/** Values with a rank: a higher one replaces a lower one, two of one rank must not meet. */
class Layers<T> {
  readonly #held = new Map<string, { rank: number; value: T; owner: string }>()

  set(rank: number, key: string, value: T, owner: string): void {
    const held = this.#held.get(key)
    if (held && held.rank === rank) {
      throw failure('OPERATION_INVALID', `${held.owner} and ${owner} both go to ${key}`)
    }
    if (!held || held.rank < rank) this.#held.set(key, { rank, value, owner })
  }

  values(): Map<string, T> {
    return new Map([...this.#held].map(([key, { value }]) => [key, value]))
  }
}
