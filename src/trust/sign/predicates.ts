import type { XSchema } from 'typebox/schema'
import { type Json, limits, parseJson } from '#base/index.ts'
import { isObject } from '#oci/index.ts'
import { failure } from '../codes.ts'

const text = { type: 'string', minLength: 1 }
const texts = { type: 'array', items: text }
const list = { type: 'array' }
const anything = { type: 'object' }
const whatever = {}

/** An object that must hold these members, of these shapes; all else in it is the business of whoever reads it. */
const holding = (properties: Readonly<Record<string, XSchema>>) => ({
  type: 'object',
  required: Object.keys(properties),
  properties,
})

/** What every document of its kind must hold, as JSON schemas. */
const shapes = {
  // slsa.dev/spec/v1.0/provenance
  provenance1: holding({
    buildDefinition: holding({ buildType: text, externalParameters: anything }),
    runDetails: holding({ builder: holding({ id: text }) }),
  }),
  // slsa.dev/provenance/v0.2
  provenance02: holding({ builder: holding({ id: text }), buildType: text }),
  // slsa.dev/spec/v1.0/verification_summary
  summary: holding({
    verifier: holding({ id: text }),
    timeVerified: text,
    resourceUri: text,
    policy: anything,
    verificationResult: { enum: ['PASSED', 'FAILED'] },
    verifiedLevels: texts,
  }),
  // cyclonedx.org/docs
  cycloneDx: holding({ bomFormat: { const: 'CycloneDX' }, specVersion: text }),
  // spdx.github.io/spdx-spec: 2.3, and 3.0 as JSON-LD
  spdx: {
    anyOf: [
      holding({ spdxVersion: text, SPDXID: text, name: text, creationInfo: anything }),
      holding({ '@context': text, '@graph': list }),
    ],
  },
  // cosign, COSIGN_VULN_ATTESTATION_SPEC.md
  vulnerabilities: holding({
    scanner: holding({ uri: text, version: text, result: whatever }),
    metadata: holding({ scanStartedOn: text, scanFinishedOn: text }),
  }),
  // github.com/openvex/spec
  openVex: holding({ '@context': text, '@id': text, author: text, timestamp: text, statements: list }),
  // in-toto.io/Link; cosign writes its older form, in which materials are an object
  link: holding({
    name: text,
    command: list,
    materials: whatever,
    byproducts: anything,
    environment: anything,
  }),
} as const

interface PredicateKind {
  readonly type: string
  readonly shape?: XSchema
  /** How a file becomes the predicate where it is not its JSON as it is. */
  readonly wrap?: (bytes: Uint8Array, at: Date) => Json
}

const provenance02 = { type: 'https://slsa.dev/provenance/v0.2', shape: shapes.provenance02 }
const spdx = 'https://spdx.dev/Document'

/** Short names as cosign has them, and `vsa`. */
const kinds: Readonly<Record<string, PredicateKind>> = {
  slsaprovenance1: { type: 'https://slsa.dev/provenance/v1', shape: shapes.provenance1 },
  slsaprovenance02: provenance02,
  slsaprovenance: provenance02,
  vsa: { type: 'https://slsa.dev/verification_summary/v1', shape: shapes.summary },
  cyclonedx: { type: 'https://cyclonedx.org/bom', shape: shapes.cycloneDx },
  spdxjson: { type: spdx, shape: shapes.spdx },
  // The tag-value form is no JSON: cosign takes the text as it is.
  spdx: { type: spdx, wrap: textOf },
  vuln: { type: 'https://cosign.sigstore.dev/attestation/vuln/v1', shape: shapes.vulnerabilities },
  openvex: { type: 'https://openvex.dev/ns', shape: shapes.openVex },
  link: { type: 'https://in-toto.io/Link/v1', shape: shapes.link },
  // cosign's envelope for whatever there is.
  custom: {
    type: 'https://cosign.sigstore.dev/attestation/v1',
    wrap: (bytes, at) => ({ Data: textOf(bytes), Timestamp: `${at.toISOString().slice(0, 19)}Z` }),
  },
}

export const predicateNames: readonly string[] = Object.keys(kinds)

/** The predicate type that a short name or a URI means. @throws PREDICATE_INVALID */
export function predicateType(name: string): string {
  const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined
  if (kind) return kind.type
  if (name.length <= limits.referenceLength && URL.canParse(name)) return name
  throw failure('PREDICATE_INVALID', `${JSON.stringify(name.slice(0, 100))} is no type of predicate`, {
    hint: `Write a URI, or one of ${predicateNames.join(', ')}.`,
  })
}

export interface PredicateOptions {
  /** A JSON schema of the signer's own that it has to fit as well. */
  readonly schema?: Json
  /** For the forms that tell when they were made. */
  readonly at?: Date
  readonly maxBytes?: number
}

/**
 * The predicate in a file, checked: JSON, strictly; of the shape that its type asks for; and of the schema, where
 * there is one.
 *
 * @param name a short name or a URI
 * @throws PREDICATE_INVALID
 */
export async function parsePredicate(
  name: string,
  bytes: Uint8Array,
  { schema, at = new Date(), maxBytes = limits.predicateBytes }: PredicateOptions = {},
): Promise<{ readonly type: string; readonly predicate: Json }> {
  const type = predicateType(name)
  if (bytes.length > maxBytes) {
    throw failure(
      'PREDICATE_INVALID',
      `a predicate of ${bytes.length} bytes is over the limit of ${maxBytes}`,
    )
  }
  const kind = Object.hasOwn(kinds, name) ? kinds[name] : shapeOfType(type)
  const isWrapped = kind?.wrap !== undefined
  const value = isWrapped && schema === undefined ? null : jsonOf(bytes, maxBytes)
  if (kind?.shape) await assertShape(kind.shape, value, `it is not of the type ${type}`)
  if (schema !== undefined) await assertShape(schemaOf(schema), value, 'it does not fit the schema')
  const predicate = kind?.wrap ? kind.wrap(bytes, at) : value
  if (!isWrapped && !isObject(predicate)) {
    throw failure('PREDICATE_INVALID', 'the predicate is not a JSON object')
  }
  return { type, predicate }
}

/** A URI that a short name stands for is checked alike; what is wrapped only by its short name is not. */
const shapeOfType = (type: string): PredicateKind | undefined =>
  Object.values(kinds).find((kind) => kind.type === type && kind.shape !== undefined)

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw failure('PREDICATE_INVALID', 'the predicate is not a text in UTF-8')
  }
}

function jsonOf(bytes: Uint8Array, maxBytes: number): Json {
  try {
    return parseJson(bytes, { maxBytes })
  } catch (cause) {
    throw failure('PREDICATE_INVALID', `the predicate cannot be read: ${(cause as Error).message}`, { cause })
  }
}

function schemaOf(schema: Json): XSchema {
  if (isObject(schema) || typeof schema === 'boolean') return schema as XSchema
  throw failure('PREDICATE_INVALID', 'the schema is no JSON schema')
}

async function assertShape(schema: XSchema, value: Json, what: string): Promise<void> {
  // Only who signs predicates loads the schema library.
  const { shapeProblems, tell } = await import('#base/shape/index.ts')
  let problems: ReturnType<typeof shapeProblems>
  try {
    problems = shapeProblems(schema, value)
  } catch (cause) {
    throw failure('PREDICATE_INVALID', `the schema cannot be used: ${(cause as Error).message}`, { cause })
  }
  if (problems.length > 0) throw failure('PREDICATE_INVALID', `${what}: ${tell(problems)}`)
}
