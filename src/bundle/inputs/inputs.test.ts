import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isFailure, type Json, limits } from '#base/index.ts'
import { checkBundle } from '../bundle-file.ts'
import { openDefinition } from '../definition/definition.ts'
import { coerceFile, coerceText } from './coerce.ts'
import { checkCredentialSet, parseCredentialSet } from './credential-set.ts'
import { outputSources } from './parameter-sources.ts'
import { type CredentialReaders, machineReaders, resolveCredentials } from './resolve-credentials.ts'
import { parameterText, resolveParameters, shownParameters } from './resolve-parameters.ts'

const fails = (code: string) => (error: unknown) => isFailure(error, code)
const bundle = checkBundle({
  schemaVersion: 'v1.2.0',
  name: 'n',
  version: '1.0.0',
  invocationImages: [{ image: 'i' }],
  definitions: {
    port: { type: 'integer', default: 80, maximum: 1000 },
    text: { type: 'string' },
    flag: { type: 'boolean' },
    secret: { type: 'string', writeOnly: true },
    bad: { type: 'integer', default: 'x' },
  },
  parameters: {
    port: { definition: 'port', destination: { env: 'PORT' } },
    flag: { definition: 'flag', destination: { env: 'FLAG' } },
    must: { definition: 'text', destination: { env: 'MUST' }, required: true, applyTo: ['install'] },
    secret: { definition: 'secret', destination: { env: 'SECRET' } },
  },
  credentials: {
    key: { env: 'KEY', required: true },
    extra: { path: '/extra' },
    later: { env: 'LATER', required: true, applyTo: ['upgrade'] },
  },
  custom: {
    'io.cnab.parameter-sources': {
      port: { priority: ['dependencies.output', 'output'], sources: { output: { name: 'p' } } },
      flag: { priority: ['x'], sources: { output: { name: 'q' } } },
    },
  },
})

describe('texts as values', () => {
  const cases: readonly (readonly [Json, string, Json])[] = [
    ['string', '007', '007'],
    ['string', 'true', 'true'],
    ['integer', '42', 42],
    ['integer', '-0', 0],
    ['integer', '4.5', '4.5'],
    ['integer', '1e3', '1e3'],
    ['integer', '0x10', '0x10'],
    ['integer', '9007199254740993', '9007199254740993'],
    ['number', '1e3', 1000],
    ['number', 'Infinity', 'Infinity'],
    ['number', '1e999', '1e999'],
    ['boolean', 'true', true],
    ['boolean', 'yes', 'yes'],
    ['object', '{"a":[1]}', { a: [1] }],
    ['object', '[1]', '[1]'],
    ['array', '[1]', [1]],
    ['array', '{"__proto__":1}', '{"__proto__":1}'],
    [['integer', 'string'], '5', 5],
    [['integer', 'string'], 'five', 'five'],
    [['string', 'null'], 'null', null],
  ]
  for (const [type, text, expected] of cases) {
    test(`${text} as ${type}`, () => {
      const definition = openDefinition({ definitions: { d: { type } } }, 'd')
      const value = coerceText(text, definition)
      assert.ok(
        Object.is(value, expected) ||
          value === expected ||
          JSON.stringify(value) === JSON.stringify(expected),
      )
    })
  }

  test('what is written as JSON is read back as the same value', () => {
    const open = (type: string) => openDefinition({ definitions: { d: { type } } }, 'd')
    fc.assert(
      fc.property(fc.integer(), fc.string(), fc.array(fc.jsonValue()), (integer, string, array) => {
        assert.equal(coerceText(parameterText(integer), open('integer')), integer)
        assert.equal(coerceText(parameterText(string), open('string')), string)
        const json = JSON.stringify(array)
        if (!json.includes('__proto__')) assert.equal(JSON.stringify(coerceText(json, open('array'))), json)
      }),
    )
  })

  test('files are text, JSON, or base64 where the definition says so', () => {
    const open = (definition: Json) => openDefinition({ definitions: { d: definition } }, 'd')
    assert.equal(coerceFile(Buffer.from('a\n'), open({ type: 'string' })), 'a\n')
    assert.equal(
      coerceFile(Buffer.from([0, 255]), open({ type: 'string', contentEncoding: 'base64' })),
      'AP8=',
    )
    assert.deepEqual(coerceFile(Buffer.from('{"a":1}\n'), open({ type: 'object' })), { a: 1 })
  })
})

describe('parameters', () => {
  const resolve = (
    action: string,
    given: Record<string, { text: string }>,
    previous?: Record<string, Json>,
  ) => ({ ...resolveParameters(bundle, action, given, { previous }) })

  test('given, then of the last claim, then default, else nothing', () => {
    assert.deepEqual(resolve('install', { must: { text: 'x' } }), { port: 80, must: 'x' })
    assert.deepEqual(resolve('upgrade', {}, { port: 81, must: 'x' }), { port: 81 })
    assert.deepEqual(resolve('upgrade', { port: { text: '82' } }, { port: 81 }), { port: 82 })
    assert.deepEqual(resolve('upgrade', { flag: { text: 'false' } }), { port: 80, flag: false })
  })
  test('required ones must be given, where they apply', () => {
    assert.throws(() => resolve('install', {}), fails('PARAMETER_MISSING'))
    assert.throws(
      () => resolve('install', { nope: { text: '' }, must: { text: '' } }),
      fails('PARAMETER_UNKNOWN'),
    )
    assert.throws(() => resolve('install', { toString: { text: '' } }), fails('PARAMETER_UNKNOWN'))
  })
  test('values that do not fit, given or remembered', () => {
    assert.throws(() => resolve('upgrade', { port: { text: '1001' } }), fails('PARAMETER_INVALID'))
    assert.throws(() => resolve('upgrade', { flag: { text: '1' } }), fails('PARAMETER_INVALID'))
    assert.throws(() => resolve('upgrade', {}, { port: 'x' }), fails('PARAMETER_INVALID'))
  })
  test('values at the limit, and one beyond', () => {
    const bounds = { ...limits, parameterBytes: 3 }
    const given = (text: string) => ({ secret: { text } })
    assert.equal(resolveParameters(bundle, 'upgrade', given('abc'), { bounds }).secret, 'abc')
    assert.throws(
      () => resolveParameters(bundle, 'upgrade', given('abcd'), { bounds }),
      fails('PARAMETER_INVALID'),
    )
  })
  test('a secret is shown nowhere, nor is what no parameter explains', () => {
    assert.deepEqual(shownParameters(bundle, { port: 1, secret: 's', gone: 'g' }), {
      port: 1,
      secret: '(hidden)',
      gone: '(hidden)',
    })
  })
  test('to the run tool, a text is itself, all else JSON, and nothing the empty text', () => {
    assert.deepEqual(['a"', 5, true, null, { a: [] }, undefined].map(parameterText), [
      'a"',
      '5',
      'true',
      'null',
      '{"a":[]}',
      '',
    ])
  })
  test('sources in outputs (810)', () => {
    assert.deepEqual([...outputSources(bundle)], [['port', 'p']])
    const broken = { ...bundle, custom: { 'io.cnab.parameter-sources': { port: 1 } } }
    assert.throws(() => outputSources(broken), fails('BUNDLE_INVALID'))
  })
})

describe('credentials', () => {
  const readers: CredentialReaders = {
    env: { TOKEN: 'from env', EMPTY: '' },
    async readFile(path) {
      if (path !== '/there') throw Object.assign(new Error('secret path'), { code: 'ENOENT' })
      return Buffer.from('from file')
    },
    async run(command) {
      if (command !== 'works') throw new Error('the secret')
      return Buffer.from('from command\n\n')
    },
  }
  const set = (sources: Record<string, Json>) =>
    checkCredentialSet({
      name: 's',
      credentials: Object.entries(sources).map(([name, source]) => ({ name, source })),
    })
  const resolve = async (sources: Record<string, Json>, action = { name: 'install', stateless: false }) => {
    const values = await resolveCredentials(bundle, action, [set(sources)], readers)
    return Object.fromEntries([...values].map(([name, bytes]) => [name, Buffer.from(bytes).toString()]))
  }

  test('from all four sources', async () => {
    assert.deepEqual(await resolve({ key: { value: 'v' }, extra: { path: '/there' } }), {
      key: 'v',
      extra: 'from file',
    })
    assert.deepEqual(await resolve({ key: { env: 'TOKEN' } }), { key: 'from env' })
    assert.deepEqual(await resolve({ key: { env: 'EMPTY' } }), { key: '' })
    assert.deepEqual(await resolve({ key: { command: 'works' }, other: { env: 'X' } }), {
      key: 'from command',
    })
  })
  test('missing, and never for a stateless action', async () => {
    await assert.rejects(resolve({}), fails('CREDENTIAL_MISSING'))
    assert.deepEqual(await resolve({ key: { env: 'NONE' } }, { name: 'x', stateless: true }), {})
    await assert.rejects(
      resolve({ key: { value: '' } }, { name: 'upgrade', stateless: false }),
      fails('CREDENTIAL_MISSING'),
    )
  })
  test('a source that gives nothing is told without what it says', async () => {
    for (const source of [{ env: 'toString' }, { path: '/gone' }, { command: 'fails' }]) {
      await assert.rejects(resolve({ key: source }), (error) => {
        assert.ok(isFailure(error, 'CREDENTIAL_SOURCE'))
        assert.doesNotMatch(`${error.message}${JSON.stringify(error.detail)}${error.cause}`, /secret/)
        return true
      })
    }
  })
  test('of this machine: files and commands, bounded', async () => {
    const options = {}
    const own = await machineReaders.readFile(import.meta.filename, 10, options)
    assert.equal(own.length, 10)
    assert.equal(Buffer.from(await machineReaders.run('echo a; echo b >&2', 100, options)).toString(), 'a\n')
    await assert.rejects(machineReaders.run('exit 3', 100, options))
    assert.equal((await machineReaders.run('cat /dev/zero; true', 1000, options)).length, 1000)
    await assert.rejects(machineReaders.run('sleep 60', 1, { signal: AbortSignal.abort() }))
  })
  const bad: readonly Json[] = [
    [],
    { credentials: {} },
    { credentials: [{ name: 'a' }] },
    { credentials: [{ name: 'a', source: {} }] },
    { credentials: [{ name: 'a', source: { env: 'A', path: '/a' } }] },
    { credentials: [{ name: 'a', source: { secret: 'A' } }] },
    { credentials: [{ name: 'a', source: { value: 5 } }] },
    {
      credentials: [
        { name: 'a', source: { env: 'A' } },
        { name: 'a', source: { env: 'A' } },
      ],
    },
  ]
  for (const value of bad) {
    test(`refuses the set ${JSON.stringify(value)}`, () => {
      assert.throws(
        () => parseCredentialSet(Buffer.from(JSON.stringify(value))),
        fails('CREDENTIAL_SET_INVALID'),
      )
    })
  }
})
