import type { Json } from '#base/index.ts'
import { isObject } from '#oci/index.ts'
import type { CnabBundle } from '../bundle-schema.ts'
import { failure } from '../codes.ts'

/**
 * Which parameters take their value from an output of an earlier action (810), where nobody gives one: parameter
 * to output. Sources of other kinds, such as outputs of dependencies, are passed over, and the next in priority
 * counts.
 *
 * @throws BUNDLE_INVALID
 */
export function outputSources(bundle: CnabBundle): Map<string, string> {
  const found = new Map<string, string>()
  const extension = bundle.custom?.['io.cnab.parameter-sources']
  if (extension === undefined) return found
  const invalid = (path: string) =>
    failure(
      'BUNDLE_INVALID',
      `/custom/io.cnab.parameter-sources${path} is not what CNAB section 810 describes`,
    )
  if (!isObject(extension)) throw invalid('')
  for (const [parameter, entry] of Object.entries(extension)) {
    if (!isObject(entry) || !Array.isArray(entry.priority) || !isObject(entry.sources))
      throw invalid(`/${parameter}`)
    const sources: { [key: string]: Json } = entry.sources
    const first = entry.priority.find((kind) => kind === 'output' && Object.hasOwn(sources, kind))
    if (first === undefined) continue
    const source = sources.output
    if (!isObject(source) || typeof source.name !== 'string') throw invalid(`/${parameter}/sources/output`)
    found.set(parameter, source.name)
  }
  return found
}
