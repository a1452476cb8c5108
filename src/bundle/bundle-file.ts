import { canonicalJson, type Json, limits, parseJson } from '#base/index.ts'
import { bare, type Problem, shapeProblems, tell } from '#base/shape/index.ts'
import { isObject } from '#oci/index.ts'
import { bundleProblems, isSchemaVersion } from './bundle-rules.ts'
import { bundleSchema, type CnabBundle } from './bundle-schema.ts'
import { failure } from './codes.ts'

export interface BundleLimits {
  readonly bundleBytes: number
  readonly jsonDepth: number
}

/**
 * Reads a bundle.json and checks its shape and the rules of the prose (101). `detail.problems` of the failure
 * lists every problem with its JSON pointer.
 *
 * @throws BUNDLE_INVALID, BUNDLE_SCHEMA_VERSION, and the codes of `parseJson`
 */
export function parseBundle(bytes: Uint8Array, bounds: BundleLimits = limits): CnabBundle {
  return checkBundle(parseJson(bytes, { maxBytes: bounds.bundleBytes, maxDepth: bounds.jsonDepth }))
}

/** The same for a value that is parsed already. @throws BUNDLE_INVALID, BUNDLE_SCHEMA_VERSION */
export function checkBundle(value: Json): CnabBundle {
  if (!isObject(value)) throw invalid([{ path: '', why: 'is not an object' }])
  const document = withoutNulls(value)
  const { schemaVersion } = document
  if (typeof schemaVersion === 'string' && schemaVersion !== '' && !isSchemaVersion(schemaVersion)) {
    const shown = JSON.stringify(schemaVersion.slice(0, 100))
    throw failure('BUNDLE_SCHEMA_VERSION', `the schemaVersion ${shown} is not one of CNAB 1.x`)
  }
  const misshapen = shapeProblems(bundleSchema, bare(document))
  if (misshapen.length > 0) throw invalid(misshapen)
  const bundle = document as unknown as CnabBundle
  const problems = bundleProblems(bundle)
  if (problems.length > 0) throw invalid(problems)
  return bundle
}

/** The bundle as canonical JSON (RFC 8785), which 101 asks for and its digest is taken over. */
export function formatBundle(bundle: CnabBundle): Uint8Array {
  return canonicalJson(bundle)
}

/**
 * The spec's own example in 201 holds `"images": null`, as Go writes an empty map: at the top level null counts as
 * absent. Nowhere else.
 */
function withoutNulls(value: { [key: string]: Json }): { [key: string]: Json } {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== null))
}

function invalid(problems: readonly Problem[]) {
  return failure('BUNDLE_INVALID', `not a CNAB bundle: ${tell(problems)}`, { detail: { problems } })
}
