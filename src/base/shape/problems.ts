import * as Schema from 'typebox/schema'
import type { Json } from '../json.ts'

/** One thing that is wrong in a document, and where: a JSON pointer (RFC 6901). */
export interface Problem {
  readonly path: string
  readonly why: string
}

/** As many are told as a person reads. */
const mostProblems = 20

/** Where a value does not have the shape of `schema`; only for schemas of our own. */
export function shapeProblems(schema: Schema.XSchema, value: unknown): Problem[] {
  if (hasShape(schema, value)) return []
  const [, errors] = Schema.Errors(schema, value)
  return errors.flatMap((error): Problem[] => {
    const { keyword, instancePath: path, params } = error
    if (keyword === 'boolean') return [] // said again, and better, by additionalProperties
    if (keyword === 'additionalProperties') {
      return params.additionalProperties.map((key) => ({
        path: `${path}/${escaped(key)}`,
        why: 'is not known here',
      }))
    }
    if (keyword === 'required') {
      return params.requiredProperties.map((key) => ({ path: `${path}/${escaped(key)}`, why: 'is missing' }))
    }
    return [{ path, why: error.message }]
  })
}

/** So often a schema is interpreted before it is compiled: a command that reads one file does not pay for that (2 ms). */
const usesBeforeCompiled = 32
const known = new WeakMap<object, { uses: number; check?: (value: unknown) => boolean }>()

/** A server that checks a record for each request does so in a fiftieth of the time. */
function hasShape(schema: Schema.XSchema, value: unknown): boolean {
  if (typeof schema === 'boolean') return schema
  let use = known.get(schema)
  if (!use) {
    use = { uses: 0 }
    known.set(schema, use)
  }
  if (++use.uses === usesBeforeCompiled) {
    const compiled = Schema.Compile(schema)
    use.check = (checked) => compiled.Check(checked)
  }
  return use.check ? use.check(value) : Schema.Check(schema, value)
}

const isObject = (value: Json): value is { [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A JSON pointer from its parts. */
export const pointer = (...parts: readonly (string | number)[]): string =>
  parts.map((part) => `/${escaped(String(part))}`).join('')

const escaped = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1')

/** Several problems as one sentence, each with its place. */
export function tell(problems: readonly Problem[]): string {
  const told = problems.slice(0, mostProblems).map(({ path, why }) => `${path || '/'} ${why}`)
  const rest = problems.length - told.length
  return told.join('; ') + (rest > 0 ? `; and ${rest} more` : '')
}

/**
 * A copy without a prototype at any level, so that a check for a member never meets one that is inherited
 * (`toString`, `constructor`).
 */
export function bare(value: Json): Json {
  if (Array.isArray(value)) return value.map(bare)
  if (!isObject(value)) return value
  const copy: { [key: string]: Json } = Object.create(null)
  for (const [key, member] of Object.entries(value)) copy[key] = bare(member)
  return copy
}
