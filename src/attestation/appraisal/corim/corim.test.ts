import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { attestationLimits, isFailure } from '#base/index.ts'
import { parseReferenceMessage } from '../index.ts'
import { type Cbor, type CborKey, CborTag, NotCbor, parseCbor } from './cbor.ts'
import { corimMeasurements } from './measurements.ts'

const limits = { depth: 16, items: 1000 }
const parse = (hex: string, within = limits) => parseCbor(Buffer.from(hex, 'hex'), within)

/** An encoder to test against: shortest forms, definite lengths. */
function encode(value: Cbor): Buffer {
  if (value instanceof Uint8Array) return Buffer.concat([head(2, value.length), value])
  if (value instanceof CborTag) return Buffer.concat([head(6, value.tag), encode(value.value)])
  if (value instanceof Map)
    return Buffer.concat([
      head(5, value.size),
      ...[...(value as Map<CborKey, Cbor>)].flatMap(([key, one]) => [encode(key), encode(one)]),
    ])
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(encode)])
  switch (typeof value) {
    case 'string':
      return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)])
    case 'boolean':
      return Buffer.from([value ? 0xf5 : 0xf4])
    case 'undefined':
      return Buffer.from([0xf7])
    case 'bigint':
      return value < 0n ? head(1, -1n - value) : head(0, value)
    case 'number': {
      if (Number.isSafeInteger(value) && !Object.is(value, -0))
        return value < 0 ? head(1, -1 - value) : head(0, value)
      const bytes = Buffer.alloc(9, 0xfb)
      bytes.writeDoubleBE(value, 1)
      return bytes
    }
    default:
      return Buffer.from([0xf6])
  }
}

function head(major: number, argument: number | bigint): Buffer {
  const first = major << 5
  if (argument < 24) return Buffer.from([first | Number(argument)])
  if (argument < 0x100) return Buffer.from([first | 24, Number(argument)])
  const bytes = Buffer.alloc(argument < 0x10000 ? 3 : argument < 0x1_0000_0000 ? 5 : 9)
  bytes[0] = first | (bytes.length === 3 ? 25 : bytes.length === 5 ? 26 : 27)
  if (bytes.length === 9) bytes.writeBigUInt64BE(BigInt(argument), 1)
  else bytes.writeUIntBE(Number(argument), 1, bytes.length - 1)
  return bytes
}

const integer = fc.oneof(
  fc.maxSafeInteger(),
  fc
    .bigInt({ min: -(2n ** 64n), max: 2n ** 64n - 1n })
    .filter((value) => !Number.isSafeInteger(Number(value)) || BigInt(Number(value)) !== value),
)
const { item } = fc.letrec<{ item: Cbor }>((tie) => ({
  item: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom<Cbor>(true, false, null, undefined),
    integer,
    fc.double(),
    fc.string({ unit: 'grapheme' }),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Uint8Array.from(bytes)),
    fc.array(tie('item'), { maxLength: 4 }),
    fc
      .array(fc.tuple(fc.oneof(integer, fc.string()), tie('item')), { maxLength: 4 })
      .map((entries) => new Map<CborKey, Cbor>(entries)),
    fc.tuple(fc.nat(), tie('item')).map(([tag, value]) => new CborTag(tag, value)),
  ),
}))

describe('CBOR', () => {
  test('what was encoded is read back', () => {
    fc.assert(
      fc.property(item, (value) => {
        assert.deepEqual(parseCbor(encode(value), limits), value)
      }),
      { numRuns: 300 },
    )
  })

  test('no bytes make it do anything but answer or refuse', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        for (const read of [() => parseCbor(bytes, limits), () => corimMeasurements(bytes, limits)]) {
          try {
            read()
          } catch (error) {
            assert.ok(error instanceof NotCbor, String(error))
          }
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('examples of RFC 8949, appendix A', () => {
    assert.equal(parse('3bffffffffffffffff'), -18446744073709551616n)
    assert.equal(parse('1bffffffffffffffff'), 18446744073709551615n)
    assert.equal(parse('f93e00'), 1.5)
    assert.equal(parse('fa47c35000'), 100000)
    assert.equal(parse('f97c00'), Infinity)
    assert.deepEqual(parse('5f42010243030405ff'), Uint8Array.of(1, 2, 3, 4, 5))
    assert.equal(parse('7f657374726561646d696e67ff'), 'streaming')
    assert.deepEqual(parse('9f018202039f0405ffff'), [1, [2, 3], [4, 5]])
    assert.deepEqual(
      parse('bf61610161629f0203ffff'),
      new Map<CborKey, Cbor>([
        ['a', 1],
        ['b', [2, 3]],
      ]),
    )
    assert.deepEqual(parse('c11a514b67b0'), new CborTag(1, 1363896240))
  })

  test('what is not whole, or says something twice, is refused', () => {
    for (const bad of [
      '',
      '18',
      '0000',
      '1c',
      '1f',
      '3f',
      'df00',
      '5b7fffffffffffffff00',
      '9bffffffffffffffff',
      'bb0000000100000000',
      '8201',
      '9f01',
      '5f01ff',
      '5f5f4101ffff',
      '5f6161ff',
      '61ff',
      '7f61c361a9ff',
      'ff',
      'f8',
      'f820',
      'e0',
      'f0',
      'f93e',
      'a2010a010b',
      'a2010a18010b',
      'a201001b000000000000000100',
      'a1f500',
      'a1800000',
      'a1f93c0000',
      'a14161f6',
      'bf01ff',
      'bf0001ff00',
    ]) {
      assert.throws(() => parse(bad), NotCbor, bad)
    }
  })

  test('depth and number of items are limited', () => {
    assert.deepEqual(parse('8180', { depth: 2, items: 2 }), [[]])
    assert.throws(() => parse('8180', { depth: 1, items: 2 }), NotCbor)
    assert.throws(() => parse('8180', { depth: 2, items: 1 }), NotCbor)
    assert.throws(() => parse('c1c100', { depth: 1, items: 9 }), NotCbor)
    assert.throws(() => parse('7f61616161ff', { depth: 1, items: 2 }), NotCbor)
    assert.throws(() => parseCbor(Buffer.alloc(1_000_000, 0x81), { depth: 32, items: 1e7 }), NotCbor)
  })
})

const map = (entries: Record<string, Cbor>) =>
  new Map<CborKey, Cbor>(Object.entries(entries).map(([key, value]) => [Number(key), value]))
const claim = (key: Cbor, measured: Record<string, Cbor>) => map({ 0: key, 1: map(measured) })
const digests = (...bytes: number[]) => bytes.map((byte) => [1, Uint8Array.of(byte)])
const environment = map({ 0: map({ 1: 'ACME', 2: 'Runner' }) })
const comid = (...triples: Cbor[]) => new CborTag(506, encode(map({ 4: map({ 0: triples }) })))
const corim = (tags: Cbor[], more: Record<string, Cbor> = {}) =>
  new CborTag(501, map({ 0: 'an id', 1: tags, ...more }))
const read = (value: Cbor) => corimMeasurements(encode(value), limits)

describe('CoRIM', () => {
  test('values have the names that Trustee gives them', () => {
    const id = new CborTag(37, Buffer.from('31fb5abf023e4992aa4e95f9c1503bfa', 'hex'))
    const { values } = read(
      corim([
        comid(
          [
            environment,
            [
              claim(id, { 2: digests(1, 2) }),
              claim(7, { 2: digests(3), 4: new CborTag(560, Uint8Array.of(0xab)) }),
              claim('kernel', { 11: 'n', 8: 's', 2: digests(4) }),
              claim(new CborTag(111, Uint8Array.of(1)), { 1: 5 }),
            ],
          ],
          [map({}), [map({ 1: map({ 2: digests(5) }) })]],
        ),
        new CborTag(505, Uint8Array.of()),
        comid([environment, [claim(id, { 2: digests(2, 9) })]]),
      ]),
    )
    assert.deepEqual(Object.fromEntries(values), {
      'ACME/Runner/31fb5abf-023e-4992-aa4e-95f9c1503bfa/digests': ['01', '02', '09'],
      'ACME/Runner/claim7/digests': ['03'],
      'ACME/Runner/claim7/raw_bytes': 'ab',
      'ACME/Runner/kernel/n/s/digests': ['04'],
      digests: ['05'],
    })
  })

  test('wrapped or signed, the content is the same', () => {
    const plain = corim([comid([environment, [claim('k', { 2: digests(1) })]])])
    const expected = read(plain)
    assert.equal(expected.values.size, 1)
    const signed = new CborTag(18, [Uint8Array.of(), new Map(), encode(plain), Uint8Array.of(1)])
    for (const same of [new CborTag(500, new CborTag(502, plain)), signed, new CborTag(500, signed)])
      assert.deepEqual(read(same), expected)
  })

  test('what contradicts itself, or is something else, is refused', () => {
    const raw = (byte: number) => claim('k', { 4: new CborTag(560, Uint8Array.of(byte)) })
    for (const bad of [
      1,
      map({}),
      new CborTag(501, 1),
      new CborTag(501, map({})),
      new CborTag(18, []),
      new CborTag(18, [Uint8Array.of(), new Map(), encode(1), Uint8Array.of()]),
      corim([new CborTag(506, 1)]),
      corim([new CborTag(506, Uint8Array.of(0xff))]),
      corim([new CborTag(506, encode(map({})))]),
      corim([comid(1)]),
      corim([comid([environment])]),
      corim([comid([environment, [map({ 0: 'k' })]])]),
      corim([comid([environment, [claim('k', { 2: [[1]] })]])]),
      corim([comid([environment, [claim('k', { 2: [[1, 'x']] })]])]),
      corim([comid([environment, [claim('k', { 11: 5 })]])]),
      corim([comid([environment, [claim(new CborTag(37, Uint8Array.of(1)), {})]])]),
      corim([comid([environment, [raw(1), raw(2)]])]),
      corim([], { 4: 1 }),
      corim([], { 4: map({ 1: 1 }) }),
      corim([], { 4: map({ 1: new CborTag(1, 1e300) }) }),
    ]) {
      assert.throws(() => read(bad), NotCbor, encode(bad).toString('hex'))
    }
    assert.equal(read(corim([comid([environment, [raw(1), raw(1)]])])).values.size, 1)
  })

  const at = new Date('2026-11-21T12:00:00Z')
  const message = (payload: Uint8Array) =>
    parseReferenceMessage(
      Buffer.from(JSON.stringify({ type: 'corim', payload: Buffer.from(payload).toString('base64') })),
      at,
    )
  const validity = (from: Date | undefined, until: Date) => ({
    4: map({
      ...(from && { 0: new CborTag(1, from.getTime() / 1000) }),
      1: new CborTag(1, until.getTime() / 1000),
    }),
  })
  const day = (days: number) => new Date(at.getTime() + days * 86_400_000)
  const tags = [comid([environment, [claim('k', { 2: digests(1) })]])]

  test('a value ends with its manifest, and after a year at the latest', () => {
    const ends = (more: Record<string, Cbor>) => message(encode(corim(tags, more)))[0]!.expiration
    assert.deepEqual(ends(validity(day(-1), day(3))), day(3))
    assert.deepEqual(ends(validity(at, day(9999))), day(365))
    assert.deepEqual(ends({}), day(365))
  })

  test('a manifest that does not hold now, or is none, gives nothing', () => {
    const refused = (error: unknown) => isFailure(error, 'REFERENCE_VALUE_INVALID')
    for (const [from, until] of [
      [day(-2), at],
      [day(1), day(2)],
    ] as const)
      assert.throws(() => message(encode(corim(tags, validity(from, until)))), refused)
    assert.throws(() => message(Buffer.from('{}')), refused)
    const many = Buffer.concat([
      head(4, attestationLimits.cborItems),
      Buffer.alloc(attestationLimits.cborItems),
    ])
    assert.throws(() => message(many), refused)
  })

  const vector = join(
    import.meta.dirname,
    '../../../../../shared/vectors/confidential/trustee/rvps/unsigned-example-corim.cbor',
  )
  const absent = existsSync(vector) ? false : 'NOT TESTED: the shared vectors are not here'

  test("Trustee's own example", { skip: absent }, () => {
    assert.deepEqual(message(readFileSync(vector)), [
      {
        name: 'ACME/RoadRunner/31fb5abf-023e-4992-aa4e-95f9c1503bfa/digests',
        value: [
          '87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7',
          '0263829989b6fd954f72baaf2fc64bc2e2f01d692d4de72986ea808f6e99813f',
          'a3a5e715f0cc574a73c3f9bebb6bc24f32ffd5b67b387244c2c909da779a1478',
        ],
        expiration: day(365),
      },
    ])
  })
})
