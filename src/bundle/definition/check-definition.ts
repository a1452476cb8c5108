import { type Json, type Limits, limits } from '#base/index.ts'
import { isObject } from '#oci/index.ts'
import { failure } from '../codes.ts'

type Kind = 'schema' | 'schemas' | 'map' | 'items' | 'dependencies' | 'text' | 'pattern' | 'number' | 'count'
type Rule = Kind | 'flag' | 'texts' | 'types' | 'any' | 'anyList' | 'ref' | 'factor' | 'patternMap'

/** draft-07's keywords by what each must hold (json-schema-org draft-07 meta-schema). */
const keywordsOf: Readonly<Record<Rule, string>> = {
  schema: 'additionalItems additionalProperties contains propertyNames if then else not',
  schemas: 'allOf anyOf oneOf',
  items: 'items',
  map: 'definitions properties',
  patternMap: 'patternProperties',
  dependencies: 'dependencies',
  ref: '$ref',
  text: '$schema $comment title description format contentMediaType contentEncoding',
  pattern: 'pattern',
  flag: 'readOnly writeOnly uniqueItems',
  factor: 'multipleOf',
  number: 'maximum exclusiveMaximum minimum exclusiveMinimum',
  count: 'maxLength minLength maxItems minItems maxProperties minProperties',
  texts: 'required',
  types: 'type',
  any: 'default const',
  anyList: 'examples enum',
}
const rules = new Map<string, Rule>(
  Object.entries(keywordsOf).flatMap(([rule, names]) =>
    names.split(' ').map((name) => [name, rule as Rule] as const),
  ),
)

const types = new Set(['array', 'boolean', 'integer', 'null', 'number', 'object', 'string'])

/**
 * Copies a definition, keeping what draft-07 knows and refusing what is malformed, so that nothing of a hostile
 * schema but this reaches the validator: no keywords of later drafts or of the validator itself, no identifiers,
 * no references out of the definition, bounded depth, count and patterns.
 *
 * @throws DEFINITION_INVALID with the JSON pointer of the place
 */
export function checkDefinition(definition: Json, at: string, bounds: Limits = limits): Json {
  return new Checker(bounds).schema(definition, at, 0)
}

class Checker {
  readonly #bounds: Limits
  #count = 0

  constructor(bounds: Limits) {
    this.#bounds = bounds
  }

  schema(value: Json, at: string, depth: number): Json {
    if (typeof value === 'boolean') return value
    if (!isObject(value)) throw invalid(at, 'is neither an object nor a boolean')
    if (depth > this.#bounds.definitionDepth)
      throw invalid(at, `is deeper than ${this.#bounds.definitionDepth} schemas`)
    if (++this.#count > this.#bounds.definitionSchemas) {
      throw invalid(at, `comes after ${this.#bounds.definitionSchemas} schemas, which is the limit`)
    }
    const copy: { [key: string]: Json } = Object.create(null)
    // draft-07 section 8.3: beside $ref, nothing else counts.
    const names = Object.keys(value).filter(
      (name) => !Object.hasOwn(value, '$ref') || name === '$ref' || name === 'definitions',
    )
    for (const name of names) {
      const rule = rules.get(name)
      // What draft-07 does not know asserts nothing, identifiers included.
      if (rule) copy[name] = this.#keyword(rule, value[name] ?? null, `${at}/${name}`, depth)
    }
    return copy
  }

  #keyword(rule: Rule, value: Json, at: string, depth: number): Json {
    switch (rule) {
      case 'schema':
        return this.schema(value, at, depth + 1)
      case 'schemas':
        if (!Array.isArray(value) || value.length === 0) throw invalid(at, 'is not a list of schemas')
        return value.map((item, index) => this.schema(item, `${at}/${index}`, depth + 1))
      case 'items':
        if (!Array.isArray(value)) return this.schema(value, at, depth + 1)
        return value.map((item, index) => this.schema(item, `${at}/${index}`, depth + 1))
      case 'patternMap':
        if (isObject(value)) for (const pattern of Object.keys(value)) this.#pattern(pattern, at)
        return this.#map(value, at, (item, where) => this.schema(item, where, depth + 1))
      case 'map':
        return this.#map(value, at, (item, where) => this.schema(item, where, depth + 1))
      case 'dependencies':
        return this.#map(value, at, (item, where) =>
          Array.isArray(item) ? texts(item, where) : this.schema(item, where, depth + 1),
        )
      case 'pattern':
        return this.#pattern(value, at)
      default:
        return plain(rule, value, at)
    }
  }

  #map(value: Json, at: string, each: (item: Json, at: string) => Json): Json {
    if (!isObject(value)) throw invalid(at, 'is not an object')
    const copy: { [key: string]: Json } = Object.create(null)
    for (const [key, item] of Object.entries(value)) copy[key] = each(item, `${at}/${key}`)
    return copy
  }

  #pattern(value: Json, at: string): Json {
    if (typeof value !== 'string') throw invalid(at, 'is not a text')
    if (value.length > this.#bounds.patternLength) {
      throw invalid(at, `is a pattern of more than ${this.#bounds.patternLength} characters`)
    }
    try {
      new RegExp(value, 'u')
    } catch {
      throw invalid(at, 'is not a regular expression (ECMA-262, Unicode)')
    }
    return value
  }
}

function plain(rule: Rule, value: Json, at: string): Json {
  const count = typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
  const verdicts: Partial<Record<Rule, readonly [boolean, string]>> = {
    any: [true, ''],
    text: [typeof value === 'string', 'is not a text'],
    flag: [typeof value === 'boolean', 'is not true or false'],
    number: [typeof value === 'number', 'is not a number'],
    factor: [typeof value === 'number' && value > 0, 'is not a number above 0'],
    count: [count, 'is not a whole number from 0'],
    anyList: [Array.isArray(value), 'is not a list'],
    types: [isTypes(value), 'is not a type of JSON Schema'],
    ref: [
      typeof value === 'string' && /^#(\/|$)/.test(value),
      'leads out of the definition: only "#..." may',
    ],
  }
  if (rule === 'texts') return texts(value, at)
  const [good, why] = verdicts[rule] as readonly [boolean, string]
  if (!good) throw invalid(at, why)
  return value
}

function isTypes(value: Json): boolean {
  const list = Array.isArray(value) ? value : [value]
  return list.length > 0 && list.every((item) => typeof item === 'string' && types.has(item))
}

function texts(value: Json, at: string): Json {
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value
  throw invalid(at, 'is not a list of texts')
}

function invalid(at: string, why: string) {
  return failure('DEFINITION_INVALID', `${at} ${why}`, { detail: { path: at } })
}
