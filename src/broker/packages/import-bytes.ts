// Bytes in memory as an ES module. The loader never sees a path: between the digest and the import there is nothing
// that somebody could swap, as there would be with a copy on a disk. A `data:` URL could not be swapped either, but
// stands in full in each stack trace, and is one module for all who import the same bytes.
import * as nodeModule from 'node:module'
import { failure } from './codes.ts'

const scheme = 'sealift-package:'
/** What is being imported now, by its URL. */
const sources = new Map<string, Uint8Array>()
let imported = 0
let isHooked = false

/**
 * Imports exactly these bytes, as a module of its own each time. It may import what is built into Node; all else that
 * it imports, now or later, is refused: the digest would not speak for it.
 *
 * @param name told in stack traces
 * @returns its exports
 * @throws PACKAGE_INVALID
 */
export async function importBytes(
  bytes: Uint8Array,
  name: string,
): Promise<Readonly<Record<string, unknown>>> {
  // From Node 22.15 on, and nothing that a bundle for an older Node may import by name.
  const { registerHooks } = nodeModule as Partial<typeof nodeModule>
  if (!registerHooks) throw failure('PACKAGE_INVALID', 'packages need Node 22.15 or newer')
  if (!isHooked) registerHooks({ resolve, load })
  isHooked = true
  const url = `${scheme}${encodeURIComponent(name)}/${++imported}`
  sources.set(url, bytes)
  try {
    return await import(url)
  } catch (error) {
    // What a module throws may have anything in it: options are not known to it yet, so no secret of ours.
    throw failure('PACKAGE_INVALID', `the package ${name} cannot be imported: ${told(error)}`)
  } finally {
    sources.delete(url)
  }
}

const resolve: nodeModule.ResolveHookSync = (specifier, context, next) => {
  if (!context.parentURL?.startsWith(scheme)) {
    if (sources.has(specifier)) return { url: specifier, format: 'module', shortCircuit: true }
    return next(specifier, context)
  }
  if (nodeModule.isBuiltin(specifier)) return next(specifier, context)
  throw new Error(`it imports ${specifier.slice(0, 200)}, which is not in the package`)
}

const load: nodeModule.LoadHookSync = (url, context, next) => {
  const source = sources.get(url)
  return source ? { format: 'module', source, shortCircuit: true } : next(url, context)
}

const told = (error: unknown): string =>
  error instanceof Error ? `${error.name}: ${error.message}`.slice(0, 500) : 'it threw what is no error'
