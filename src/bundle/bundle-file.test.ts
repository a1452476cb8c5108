import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isFailure, type Json, SealiftError } from '#base/index.ts'
import { checkBundle, formatBundle, parseBundle } from './bundle-file.ts'
import { bundleNotes } from './bundle-rules.ts'
import { extensionReport, requireExtensions } from './extensions.ts'

const fails = (code: string, path?: string) => (error: unknown) => {
  assert.ok(isFailure(error, code), String(error))
  if (path !== undefined) {
    const problems = error.detail.problems as { path: string }[]
    assert.deepEqual(
      problems.map((problem) => problem.path),
      [path],
      error.message,
    )
  }
  return true
}
const smallest = {
  schemaVersion: 'v1.2.0',
  name: 'n',
  version: '1.0.0',
  invocationImages: [{ image: 'a/b' }],
}
const text = { definitions: { text: { type: 'string' } } }
const parse = (value: object) => parseBundle(Buffer.from(JSON.stringify(value)))

describe('bundle.json', () => {
  test('the smallest one', () => {
    assert.deepEqual(parse(smallest), smallest)
  })

  const versions: readonly (readonly [string, boolean])[] = [
    ['v1.0.0', true],
    ['1.0.1', true],
    ['v1', true],
    ['v1.9.9', true],
    ['v1.3.0-alpha', true],
    ['v0.9.0', false],
    ['v2.0.0', false],
    ['99.99', false],
    ['v10.0.0', false],
    ['1x', false],
  ]
  for (const [schemaVersion, good] of versions) {
    test(`schemaVersion ${schemaVersion}`, () => {
      const act = () => parse({ ...smallest, schemaVersion })
      if (good) assert.equal(act().schemaVersion, schemaVersion)
      else assert.throws(act, fails('BUNDLE_SCHEMA_VERSION'))
    })
  }

  const destination = (to: object) => ({
    ...text,
    parameters: { p: { definition: 'text', destination: to } },
  })
  const output = (path: string) => ({ ...text, outputs: { o: { definition: 'text', path } } })
  const bad: readonly (readonly [string, object, string])[] = [
    ['no invocation image', { invocationImages: [] }, '/invocationImages'],
    ['an unknown member at the top', { extra: 1 }, '/extra'],
    ['a version that only contains one', { version: 'x1y' }, '/version'],
    ['an empty version', { version: '' }, '/version'],
    ['an empty name', { name: '' }, '/name'],
    ['a required extension that is a number', { requiredExtensions: [1] }, '/requiredExtensions/0'],
    ['a required extension twice', { requiredExtensions: ['a', 'a'] }, '/requiredExtensions/1'],
    ['an image without a reference', { images: { i: { description: '' } } }, '/images/i/image'],
    ['a negative size', { images: { i: { image: 'a', size: -1 } } }, '/images/i/size'],
    ['an output beside the folder', output('/cnab/app/outputs/../../x'), '/outputs/o/path'],
    ['an output that climbs and comes back', output('/cnab/app/outputs/a/../b'), '/outputs/o/path'],
    ['an output that is the folder', output('/cnab/app/outputs/'), '/outputs/o/path'],
    ['an output of a neighbour', output('/cnab/app/outputs2/x'), '/outputs/o/path'],
    ['a relative output', output('cnab/app/outputs/x'), '/outputs/o/path'],
    [
      'a parameter under outputs',
      destination({ path: '/cnab/app/outputs/x' }),
      '/parameters/p/destination/path',
    ],
    [
      'a parameter that climbs there',
      destination({ path: 'a/../cnab/app/./outputs' }),
      '/parameters/p/destination/path',
    ],
    ['a parameter without destination', destination({}), '/parameters/p/destination'],
    ['a parameter at the root', destination({ path: '/..' }), '/parameters/p/destination/path'],
    ['a variable with "="', destination({ env: 'A=B' }), '/parameters/p/destination/env'],
    [
      'a parameter of no definition',
      { parameters: { p: { definition: 'toString', destination: { env: 'A' } } } },
      '/parameters/p/definition',
    ],
    [
      'an output of no definition',
      { outputs: { o: { definition: 'x', path: '/cnab/app/outputs/o' } } },
      '/outputs/o/definition',
    ],
    [
      'a credential under outputs',
      { credentials: { c: { path: '/cnab/app/outputs/c' } } },
      '/credentials/c/path',
    ],
    ['a credential without place', { credentials: { c: {} } }, '/credentials/c'],
    ['a built-in action', { actions: { install: {} } }, '/actions/install'],
    ['a definition that is no schema', { definitions: { d: 'string' } }, '/definitions/d'],
    ['a null inside', { images: { i: null } }, '/images/i'],
    ['a maintainer without name', { maintainers: [{ email: 'a' }] }, '/maintainers/0/name'],
  ]
  for (const [name, change, path] of bad) {
    test(`refuses ${name}, and says where`, () => {
      assert.throws(() => parse({ ...smallest, ...change }), fails('BUNDLE_INVALID', path))
    })
  }

  test('refuses outputs of one path, or one below the other', () => {
    const at = (a: string, b: string) => ({
      ...smallest,
      ...text,
      outputs: { a: { definition: 'text', path: a }, b: { definition: 'text', path: b } },
    })
    const o = '/cnab/app/outputs'
    assert.throws(() => parse(at(`${o}/x`, `${o}/x`)), fails('BUNDLE_INVALID', '/outputs/b/path'))
    assert.throws(() => parse(at(`${o}/x`, `${o}/x/y`)), fails('BUNDLE_INVALID', '/outputs/b/path'))
    assert.ok(parse(at(`${o}/x`, `${o}/xy`)))
  })

  test('takes null at the top as absent, as the example in 201 has it', () => {
    assert.deepEqual(parse({ ...smallest, images: null, parameters: null }), smallest)
    assert.throws(() => parse({ ...smallest, name: null }), fails('BUNDLE_INVALID', '/name'))
  })

  test('carries what it does not know below the top, and VM types', () => {
    const bundle = { ...smallest, images: { vm: { image: 'a', imageType: 'qcow2', unknown: [1] } } }
    assert.deepEqual(parse(bundle), bundle)
  })

  test('refuses __proto__, duplicate keys, depth and size beyond the limits', () => {
    const raw = (json: string) => () => parseBundle(Buffer.from(json))
    assert.throws(raw('{"__proto__":{}}'), fails('JSON_FORBIDDEN_KEY'))
    assert.throws(raw('{"name":"a","name":"b"}'), fails('JSON_FORBIDDEN_KEY'))
    const bytes = Buffer.from(JSON.stringify(smallest))
    assert.ok(parseBundle(bytes, { bundleBytes: bytes.length, jsonDepth: 3 }))
    assert.throws(
      () => parseBundle(bytes, { bundleBytes: bytes.length - 1, jsonDepth: 3 }),
      fails('JSON_TOO_LARGE'),
    )
    assert.throws(
      () => parseBundle(bytes, { bundleBytes: bytes.length, jsonDepth: 2 }),
      fails('JSON_TOO_DEEP'),
    )
  })

  test('notes what is legal but wanting', () => {
    const notes = bundleNotes(parse({ ...smallest, version: 'v1.0' })).map(({ path }) => path)
    assert.deepEqual(notes, ['/version', '/invocationImages/0'])
  })

  test('tells of extensions that it does not support', () => {
    const bundle = parse({
      ...smallest,
      requiredExtensions: ['io.cnab.parameter-sources', 'donuts', 'toString'],
    })
    assert.deepEqual(
      extensionReport(bundle).map(({ supported }) => supported),
      [true, false, false],
    )
    assert.throws(
      () => requireExtensions(bundle),
      (error) => {
        assert.ok(isFailure(error, 'EXTENSION_UNSUPPORTED'))
        assert.deepEqual(error.detail.extensions, ['donuts', 'toString'])
        return true
      },
    )
  })

  test('any JSON is a bundle or a failure with a code; what is formatted is read again the same', () => {
    const member = fc.oneof(fc.jsonValue(), fc.constantFrom(...Object.values(smallest)))
    const documents = fc.dictionary(
      fc.constantFrom(...Object.keys(smallest), 'images', 'outputs', 'x'),
      member,
    )
    fc.assert(
      fc.property(documents, fc.boolean(), (document, complete) => {
        try {
          const bundle = checkBundle((complete ? { ...smallest, ...document } : document) as Json)
          assert.deepEqual(formatBundle(parseBundle(formatBundle(bundle))), formatBundle(bundle))
        } catch (error) {
          assert.ok(error instanceof SealiftError, String(error))
        }
      }),
    )
  })
})

const vectors = new URL('../../../shared/vectors/cnab/', import.meta.url).pathname
const skip = existsSync(vectors) ? false : 'the vectors of cnab-go, cnab-spec and porter are not here'
describe('vectors', { skip }, () => {
  const rejected: Readonly<Record<string, string>> = {
    'cnab-go/testdata/bundles/foo.json': 'BUNDLE_SCHEMA_VERSION',
    'cnab-go/testdata/bundles/digest.json': 'BUNDLE_SCHEMA_VERSION',
    'cnab-go/bundle/testdata/minimal.json': 'BUNDLE_SCHEMA_VERSION',
    'cnab-go/bundle/testdata/empty.json': 'BUNDLE_INVALID',
    'cnab-go/packager/testdata/examplebun/bundle.json': 'BUNDLE_INVALID',
    'cnab-go/testdata/bundles/example-outputs/root/bundle.json': 'BUNDLE_INVALID',
    'cnab-go/testdata/bundles/example-outputs/nonroot/bundle.json': 'BUNDLE_INVALID',
    'porter/pkg/cnab/testdata/bundle.json': 'BUNDLE_SCHEMA_VERSION',
    'porter/pkg/cnab/testdata/bundle-depsv2.json': 'BUNDLE_SCHEMA_VERSION',
    'porter/pkg/cnab/testdata/bundle-unsupported-required.json': 'BUNDLE_SCHEMA_VERSION',
    'porter/pkg/cnab/testdata/bundle-supported-unprocessable.json': 'BUNDLE_SCHEMA_VERSION',
    // One credential has neither env nor path.
    'porter/pkg/cnab/config-adapter/testdata/myenv-depsv2.bundle.json': 'BUNDLE_INVALID',
  }
  const patterns = [
    '**/*bundle.json',
    '**/bundles/*.json',
    '**/bundle-*.json',
    'cnab-go/bundle/testdata/*.json',
  ]
  const files = skip
    ? []
    : [...new Set(patterns.flatMap((pattern) => globSync(pattern, { cwd: vectors })))].sort()

  test('all are found', () => {
    assert.ok(files.length >= 18, files.join(' '))
    assert.deepEqual(
      Object.keys(rejected).filter((file) => !files.includes(file)),
      [],
    )
  })
  for (const file of files) {
    test(file, () => {
      const bytes = readFileSync(vectors + file)
      const code = rejected[file]
      if (code) assert.throws(() => parseBundle(bytes), fails(code))
      else assert.ok(parseBundle(bytes).name.length > 0)
    })
  }
  test('with a version that is known, all but one that foo.json and its kin hold is told', () => {
    const value = JSON.parse(readFileSync(`${vectors}cnab-go/testdata/bundles/foo.json`, 'utf8'))
    assert.throws(
      () => checkBundle({ ...value, schemaVersion: 'v1.0.0' }),
      fails('BUNDLE_INVALID', '/images/image2/image'),
    )
    const unsupported = JSON.parse(
      readFileSync(`${vectors}porter/pkg/cnab/testdata/bundle-unsupported-required.json`, 'utf8'),
    )
    delete unsupported.images
    const bundle = checkBundle({ ...unsupported, schemaVersion: 'v1.0.0' })
    assert.throws(() => requireExtensions(bundle), fails('EXTENSION_UNSUPPORTED'))
  })
  test('the golden file of canonical JSON comes back byte for byte', () => {
    const bytes = readFileSync(`${vectors}cnab-go/testdata/bundles/canonical-bundle.json`)
    assert.deepEqual(Buffer.from(formatBundle(parseBundle(bytes))), bytes)
  })
})
