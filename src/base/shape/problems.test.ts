import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Type } from 'typebox'
import { shapeProblems } from './problems.ts'

const schemaOf = () =>
  Type.Object(
    {
      name: Type.String({ pattern: '^[a-c]+$', maxLength: 4 }),
      count: Type.Optional(Type.Integer({ minimum: 0 })),
      parts: Type.Optional(Type.Record(Type.String(), Type.Array(Type.Boolean(), { maxItems: 2 }))),
      kind: Type.Optional(Type.Enum(['x', 'y'])),
      any: Type.Optional(Type.Unsafe({})),
    },
    { additionalProperties: false },
  )

test('a schema says the same whether it is used once or often', () => {
  const often = schemaOf()
  for (let use = 0; use < 100; use++) shapeProblems(often, { name: 'a' })
  const values = fc.oneof(
    fc.record(
      {
        name: fc.string({ unit: fc.constantFrom('a', 'b', 'd'), maxLength: 6 }),
        count: fc.oneof(fc.integer({ min: -1, max: 2 }), fc.double()),
        parts: fc.dictionary(fc.string(), fc.array(fc.boolean(), { maxLength: 3 }), { maxKeys: 2 }),
        kind: fc.constantFrom('x', 'y', 'z'),
        any: fc.jsonValue(),
        more: fc.constant(1),
      },
      { requiredKeys: [] },
    ),
    fc.jsonValue(),
  )
  fc.assert(
    fc.property(values, (value) => {
      assert.deepEqual(shapeProblems(often, value), shapeProblems(schemaOf(), value))
    }),
    { numRuns: 500 },
  )
})
