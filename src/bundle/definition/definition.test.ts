import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isFailure, type Json, limits } from '#base/index.ts'
import { openDefinition } from './definition.ts'

const fails = (code: string) => (error: unknown) => isFailure(error, code)
const open = (definition: Json, others: Record<string, Json> = {}) =>
  openDefinition({ definitions: { it: definition, ...others } }, 'it')
const fits = (definition: Json, value: Json, others?: Record<string, Json>) =>
  open(definition, others).problems(value).length === 0

const conditional: Json = JSON.parse('{"if":{"type":"string"},"then":{"minLength":1},"else":{"type":"null"}}')

describe('values against definitions', () => {
  const cases: readonly (readonly [string, Json, Json, Json])[] = [
    ['type', { type: 'integer' }, 1, 1.5],
    ['types', { type: ['string', 'null'] }, null, 1],
    ['bounds', { type: 'integer', minimum: 10, maximum: 20 }, 10, 21],
    ['exclusive bounds', { exclusiveMinimum: 1, exclusiveMaximum: 3 }, 2, 3],
    ['multiples', { multipleOf: 3 }, 9, 10],
    ['lengths in characters', { minLength: 2, maxLength: 2 }, '😀😀', '😀'],
    ['pattern', { pattern: '^a+$' }, 'aaa', 'ab'],
    ['enum', { enum: ['a', { b: 1 }] }, { b: 1 }, 'b'],
    ['const null', { const: null }, null, 0],
    ['nested', { properties: { a: { type: 'string' } }, required: ['a'] }, { a: '' }, {}],
    ['closed', { properties: { a: true }, additionalProperties: false }, { a: 1 }, { b: 1 }],
    ['tuple', { items: [{ type: 'string' }], additionalItems: false }, ['a'], ['a', 1]],
    ['dependencies', { dependencies: { a: ['b'] } }, { a: 1, b: 1 }, { a: 1 }],
    ['if', conditional, 'x', ''],
    ['oneOf', { oneOf: [{ type: 'integer' }, { minimum: 5 }] }, 1, 6],
    ['not', { not: { type: 'string' } }, 1, ''],
    ['contains', { contains: { const: 1 } }, [0, 1], [0]],
    ['unique', { uniqueItems: true }, [1, 2], [1, 1]],
    ['names', { propertyNames: { pattern: '^x' } }, { x1: 1 }, { y: 1 }],
    ['patterns of names', { patternProperties: { '^n': { type: 'number' } } }, { n: 1 }, { n: '' }],
    ['formats', { format: 'ipv4' }, '127.0.0.1', '300.0.0.1'],
    ['inherited members', { required: ['toString'] }, { toString: 1 }, {}],
    ['booleans', { properties: { a: false } }, {}, { a: 1 }],
    ['own references', { $ref: '#/definitions/n', definitions: { n: { type: 'null' } } }, null, 1],
  ]
  for (const [name, definition, good, bad] of cases) {
    test(name, () => {
      assert.equal(fits(definition, good), true, 'the good value')
      assert.equal(fits(definition, bad), false, 'the bad value')
    })
  }

  test("references reach the bundle's definitions", () => {
    const others = { port: { type: 'integer', maximum: 10 } }
    assert.ok(fits({ properties: { p: { $ref: '#/definitions/port' } } }, { p: 10 }, others))
    assert.ok(!fits({ properties: { p: { $ref: '#/definitions/port' } } }, { p: 11 }, others))
    assert.deepEqual(open({ $ref: '#/definitions/port' }, others).types, ['integer'])
  })

  test('unknown formats, encodings and keywords assert nothing', () => {
    assert.ok(
      fits(
        { format: 'x', contentEncoding: 'base64', unevaluatedProperties: false, $id: 'urn:x' },
        { a: '%' },
      ),
    )
  })

  test('problems do not quote the value', () => {
    const problems = open({ type: 'string', pattern: '^x$', enum: ['x'] }).problems('the secret')
    assert.ok(problems.length > 0)
    assert.doesNotMatch(JSON.stringify(problems), /secret/)
  })
})

describe('hostile definitions', () => {
  const invalid: readonly (readonly [string, Json])[] = [
    ['remote reference', { $ref: 'http://127.0.0.1/x' }],
    ['file reference', { properties: { a: { $ref: 'other.json' } } }],
    ['broken pattern', { pattern: '(' }],
    ['broken pattern of names', { patternProperties: { '(': true } }],
    ['program code as a number', { minLength: '0) || process.exit(1' }],
    ['unknown type', { type: 'file' }],
    ['null keyword', { properties: null }],
    ['no schema', { items: 3 }],
    ['pattern over the limit', { pattern: 'a'.repeat(limits.patternLength + 1) }],
    ['depth over the limit', nested(limits.definitionDepth + 1)],
    [
      'count over the limit',
      {
        allOf: Array(limits.definitionSchemas)
          .fill(true)
          .map(() => ({})),
      },
    ],
  ]
  for (const [name, definition] of invalid) {
    test(name, () => {
      assert.throws(() => open(definition), fails('DEFINITION_INVALID'))
    })
  }

  test('at the limits', () => {
    assert.ok(fits({ pattern: 'a?'.repeat(limits.patternLength / 2) }, ''))
    assert.ok(fits(nested(limits.definitionDepth), {}))
    assert.ok(fits({ allOf: Array(limits.definitionSchemas - 1).fill({}) }, 1))
  })

  test('a pattern that never ends is stopped', () => {
    const bounds = { ...limits, definitionCheckMs: 50 }
    const definition = openDefinition({ definitions: { it: { pattern: '^(a+)+$' } } }, 'it', bounds)
    assert.throws(() => definition.problems(`${'a'.repeat(60)}!`), fails('DEFINITION_TOO_COSTLY'))
    assert.deepEqual(definition.problems('aaa'), [])
  })

  test('references in circles are stopped', () => {
    assert.throws(() => open({ $ref: '#' }).problems(1), fails('DEFINITION_TOO_COSTLY'))
    assert.throws(
      () => open({ allOf: [{ $ref: '#/definitions/a' }] }, { a: { $ref: '#/definitions/it' } }).problems(1),
      fails('DEFINITION_TOO_COSTLY'),
    )
  })

  test('any JSON as a definition either opens or fails with a code', () => {
    const keyword = fc.constantFrom(
      'type',
      '$ref',
      'items',
      'properties',
      'pattern',
      'enum',
      'not',
      'required',
      'x',
    )
    const schemas = fc.letrec((tie) => ({
      value: fc.oneof({ depthSize: 'small' }, fc.jsonValue(), fc.dictionary(keyword, tie('value'))),
    })).value as fc.Arbitrary<Json>
    fc.assert(
      fc.property(schemas, fc.jsonValue(), (definition, value) => {
        try {
          open(definition).problems(value as Json)
        } catch (error) {
          assert.ok(
            isFailure(error, 'DEFINITION_INVALID') || isFailure(error, 'DEFINITION_TOO_COSTLY'),
            String(error),
          )
        }
      }),
    )
  })
})

/** `depth` schemas below the outermost. */
function nested(depth: number): Json {
  let schema: Json = {}
  for (let at = 0; at < depth; at++) schema = { not: schema }
  return depth % 2 === 0 ? schema : { anyOf: [schema, true] }
}
