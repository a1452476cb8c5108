import type { CnabBundle } from './bundle-schema.ts'
import { failure } from './codes.ts'

/** What CNAB and Porter define, and whether this version does what it asks for. */
const known: Readonly<Record<string, { readonly section: string; readonly supported: boolean }>> = {
  'io.cnab.parameter-sources': { section: '810', supported: true },
  'io.cnab.dependencies': { section: '500', supported: false },
  'io.cnab.docker': { section: 'Docker socket for the run tool', supported: false },
  // Values of parameters from files, base64 where contentEncoding says so: `--param NAME=@FILE`.
  'sh.porter.file-parameters': { section: 'Porter', supported: true },
}

export interface ExtensionReport {
  readonly name: string
  readonly section?: string
  readonly supported: boolean
}

/** What the bundle requires, and which of it is supported, for `inspect` and for a message before any action. */
export function extensionReport({ requiredExtensions = [] }: CnabBundle): ExtensionReport[] {
  return requiredExtensions.map((name) => {
    const entry = Object.hasOwn(known, name) ? known[name] : undefined
    return entry ? { name, ...entry } : { name, supported: false }
  })
}

/** @throws EXTENSION_UNSUPPORTED naming all that lack */
export function requireExtensions(bundle: CnabBundle): void {
  const lacking = extensionReport(bundle).filter(({ supported }) => !supported)
  if (lacking.length === 0) return
  const names = lacking.map(({ name, section }) => (section ? `${name} (${section})` : `${name} (unknown)`))
  throw failure('EXTENSION_UNSUPPORTED', `the bundle requires ${names.join(', ')}`, {
    detail: { extensions: lacking.map(({ name }) => name) },
  })
}
