import * as Schema from 'typebox/schema'
import { type Json, type Limits, limits } from '#base/index.ts'
import { bare, type Problem, pointer } from '#base/shape/index.ts'
import { isObject } from '#oci/index.ts'
import type { CnabBundle } from '../bundle-schema.ts'
import { failure } from '../codes.ts'
import { checkDefinition } from './check-definition.ts'
import { withinTime } from './within-time.ts'

export type DefinitionType = 'string' | 'integer' | 'number' | 'boolean' | 'object' | 'array' | 'null'

/** A definition of a bundle, ready to check values: draft-07, and hostile until shown otherwise. */
export interface Definition {
  /** The types it asks for; empty where it does not say. */
  readonly types: readonly DefinitionType[]
  /** Values of it are never logged nor shown. */
  readonly writeOnly: boolean
  readonly contentEncoding?: string
  readonly default?: Json
  /** What is wrong with the value; empty where it fits. @throws DEFINITION_TOO_COSTLY */
  problems(value: Json): Problem[]
}

/**
 * Opens the definition of that name. References that begin with `#/definitions/` reach its own definitions first,
 * then those of the bundle.
 *
 * The schema is interpreted, not compiled: no text of a bundle becomes program code.
 *
 * @throws DEFINITION_INVALID
 */
export function openDefinition(
  bundle: Pick<CnabBundle, 'definitions'>,
  name: string,
  bounds: Limits = limits,
): Definition {
  const all = bundle.definitions ?? {}
  const source = Object.hasOwn(all, name) ? all[name] : undefined
  const at = pointer('definitions', name)
  if (source === undefined)
    throw failure('DEFINITION_INVALID', `${at} is not there`, { detail: { path: at } })
  const schema = checkDefinition(source, at, bounds)
  const root = isObject(schema) && namesAnother(schema) ? withNeighbours(schema, all, bounds) : schema
  // A definition that is only a reference takes its type from what it names.
  const plain = follow(root)
  const fallback = isObject(plain) ? plain.default : undefined
  return {
    types: typesOf(plain),
    writeOnly: isObject(plain) && plain.writeOnly === true,
    ...(isObject(plain) &&
      typeof plain.contentEncoding === 'string' && { contentEncoding: plain.contentEncoding }),
    ...(fallback !== undefined && { default: fallback }),
    problems: (value) => problemsOf(root, value, at, bounds),
  }
}

function problemsOf(schema: Json, value: Json, at: string, bounds: Limits): Problem[] {
  const told = withinTime(bounds.definitionCheckMs, at, () => {
    const copy = bare(value)
    const subject = schema as Schema.XSchema
    return Schema.Check(subject, copy) ? [] : Schema.Errors(subject, copy)[1]
  })
  // The value itself is not told: it may be a secret.
  return told.map(({ keyword, instancePath, message }) => ({
    path: instancePath,
    why: keyword === 'boolean' ? 'is not allowed' : message,
  }))
}

function namesAnother(value: Json): boolean {
  if (Array.isArray(value)) return value.some(namesAnother)
  if (!isObject(value)) return false
  return typeof value.$ref === 'string' || Object.values(value).some(namesAnother)
}

function withNeighbours(
  schema: { [key: string]: Json },
  all: Readonly<Record<string, Json>>,
  bounds: Limits,
): Json {
  const own = isObject(schema.definitions) ? schema.definitions : {}
  const definitions: { [key: string]: Json } = Object.create(null)
  for (const [name, neighbour] of Object.entries(all)) {
    definitions[name] = checkDefinition(neighbour, pointer('definitions', name), bounds)
  }
  Object.assign(definitions, own)
  return { ...schema, definitions }
}

/** Follows references from the root to what they name, as far as they lead. */
function follow(root: Json): Json {
  let at = root
  for (let steps = 0; steps < limits.jsonDepth && isObject(at) && typeof at.$ref === 'string'; steps++) {
    let found: Json | undefined = root
    for (const part of at.$ref.slice(1).split('/').slice(1)) {
      const key = part.replaceAll('~1', '/').replaceAll('~0', '~')
      found = isObject(found) ? found[key] : Array.isArray(found) ? found[Number(key)] : undefined
    }
    if (found === undefined) return true
    at = found
  }
  return at
}

function typesOf(schema: Json): DefinitionType[] {
  if (!isObject(schema) || schema.type === undefined) return []
  return (Array.isArray(schema.type) ? schema.type : [schema.type]) as DefinitionType[]
}
