import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isFailure, type Json } from '#base/index.ts'
import { digestOf } from '#oci/index.ts'
import { checkBundle, formatBundle } from '../bundle-file.ts'
import type { CnabBundle } from '../bundle-schema.ts'
import type { Claim } from '../claims/claim.ts'
import { checkMapping, parseRelocationMapping } from '../relocation/mapping.ts'
import { type ContractInput, contractOf } from './contract.ts'
import { checkContentDigest, checkDigests, chooseInvocationImage, placeOf } from './invocation-image.ts'

const fails = (code: string) => (error: unknown) => isFailure(error, code)
const make = (parts: { [key: string]: Json } = {}) =>
  checkBundle({
    schemaVersion: 'v1.2.0',
    name: 'app',
    version: '1.2.3',
    invocationImages: [{ image: 'example/run:1' }],
    definitions: { text: { type: 'string' } },
    ...parts,
  })
const to = (destination: Json, more: object = {}): Json =>
  ({ definition: 'text', destination, ...more }) as Json
const claimOf = (bundle: CnabBundle): Claim => ({
  id: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
  revision: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
  installation: 'here',
  action: 'install',
  bundle,
  created: '2026-01-01T00:00:00.000Z',
  parameters: {},
})
const build = (bundle: CnabBundle, more: Partial<ContractInput> = {}) =>
  contractOf({ bundle, claim: claimOf(bundle), parameters: {}, credentials: new Map(), ...more })
const text = (bytes: Uint8Array | undefined) => bytes && Buffer.from(bytes).toString()

describe('the contract with the run tool', () => {
  test('what is always there', () => {
    const bundle = make({ images: { a: { image: 'a/b' } } })
    const { environment, files } = build(bundle, { mapping: { 'a/b': 'r/a/b' } })
    assert.deepEqual(environment, {
      CNAB_INSTALLATION_NAME: 'here',
      CNAB_BUNDLE_NAME: 'app',
      CNAB_BUNDLE_VERSION: '1.2.3',
      CNAB_ACTION: 'install',
      CNAB_REVISION: '01ARZ3NDEKTSV4RRFFQ69G5FAV',
      CNAB_CLAIMS_VERSION: 'CNAB-Claims-1.0.0',
    })
    assert.equal(text(files.get('/cnab/bundle.json')), text(formatBundle(bundle)))
    assert.equal(JSON.parse(text(files.get('/cnab/claim.json'))!).installation, 'here')
    assert.equal(text(files.get('/cnab/app/image-map.json')), '{"a":{"image":"a/b"}}')
    assert.equal(text(files.get('/cnab/app/relocation-mapping.json')), '{"a/b":"r/a/b"}')
    assert.ok(!build(bundle).files.has('/cnab/app/relocation-mapping.json'), 'absent means not relocated')
  })

  test('parameters: both places, rooted paths, empty where unset, only of the action', () => {
    const bundle = make({
      parameters: {
        both: to({ env: 'BOTH', path: 'rel/ative' }),
        unset: to({ env: 'UNSET', path: '/unset' }),
        other: to({ env: 'OTHER' }, { applyTo: ['upgrade'] }),
      },
    })
    const { environment, files } = build(bundle, { parameters: { both: { a: 1 }, other: 'x' } })
    assert.equal(environment.BOTH, '{"a":1}')
    assert.equal(text(files.get('/rel/ative')), '{"a":1}')
    assert.equal(environment.UNSET, '')
    assert.equal(text(files.get('/unset')), '')
    assert.ok(!('OTHER' in environment))
  })

  test('credentials win over parameters, the runtime over both', () => {
    const bundle = make({
      parameters: {
        p: to({ env: 'SAME', path: '/same' }),
        q: to({ env: 'CNAB_ACTION', path: '/cnab/bundle.json' }),
      },
      credentials: {
        c: { env: 'SAME', path: '/same' },
        d: { env: 'CNAB_REVISION', path: 'cnab/./claim.json' },
      },
    })
    const credentials = new Map([
      ['c', Buffer.from('credential')],
      ['d', Buffer.from('evil')],
    ])
    const { environment, files } = build(bundle, { parameters: { p: 'parameter', q: 'evil' }, credentials })
    assert.equal(environment.SAME, 'credential')
    assert.equal(text(files.get('/same')), 'credential')
    assert.equal(environment.CNAB_ACTION, 'install')
    assert.equal(environment.CNAB_REVISION, '01ARZ3NDEKTSV4RRFFQ69G5FAV')
    assert.equal(text(files.get('/cnab/bundle.json')), text(formatBundle(bundle)))
    assert.match(text(files.get('/cnab/claim.json'))!, /"installation":"here"/)
  })

  const refused: readonly (readonly [string, { [key: string]: Json }])[] = [
    ['two parameters at one place', { a: to({ path: '/x' }), b: to({ path: 'x' }) }],
    ['two parameters in one variable', { a: to({ env: 'X' }), b: to({ env: 'X' }) }],
    ['a file that is a folder', { a: to({ path: '/x' }), b: to({ path: '/x/y' }) }],
    ['a file in place of /cnab', { a: to({ path: '/cnab' }) }],
    ['a file in place of the run tool', { a: to({ path: '/cnab/app/run' }) }],
    ['a file below the run tool', { a: to({ path: '/cnab/app/run/x' }) }],
  ]
  for (const [name, parameters] of refused) {
    test(`refuses ${name}`, () => {
      assert.throws(() => build(make({ parameters })), fails('OPERATION_INVALID'))
    })
  }

  test('a NUL cannot be in a variable, and its value is not told', () => {
    const bundle = make({ parameters: { p: to({ env: 'P' }) } })
    assert.throws(
      () => build(bundle, { parameters: { p: 'se\0cret' } }),
      (error) => {
        assert.ok(isFailure(error, 'OPERATION_INVALID'))
        assert.doesNotMatch(error.message, /cret/)
        return true
      },
    )
  })

  test('outputs that apply', () => {
    const o = (name: string, more: object = {}) => ({
      definition: 'text',
      path: `/cnab/app/outputs/${name}`,
      ...more,
    })
    const bundle = make({ outputs: { a: o('a'), b: o('b', { applyTo: ['upgrade'] }) } as unknown as Json })
    assert.deepEqual([...build(bundle).outputs], [['a', '/cnab/app/outputs/a']])
  })
})

describe('the invocation image', () => {
  const linux = { os: 'linux', architecture: 'amd64' }
  const a = digestOf(Buffer.from('a'))
  const b = digestOf(Buffer.from('b'))

  test('is the first that matches by type and labels', () => {
    const bundle = make({
      invocationImages: [
        { image: 'vm', imageType: 'qcow2' },
        { image: 'windows', labels: { os: 'Windows' } },
        { image: 'arm', labels: { os: 'linux', architecture: 'arm64' } },
        { image: 'first', imageType: 'docker', labels: { os: 'Linux' } },
        { image: 'second' },
      ],
    })
    assert.equal(chooseInvocationImage(bundle, ['oci', 'docker'], linux).image, 'first')
    assert.throws(() => chooseInvocationImage(bundle, ['iso'], linux), fails('INVOCATION_IMAGE_UNSUPPORTED'))
  })

  test('must have the digest that the bundle promises', () => {
    const root = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: a, size: 1 }
    const location = { root, source: { open: () => Promise.reject(new Error('not read')) } }
    checkContentDigest({ image: 'x', contentDigest: a }, location)
    checkContentDigest({ image: 'x' }, location)
    for (const image of [
      { image: 'x', contentDigest: b },
      { image: `x@${b}` },
      { image: 'x', contentDigest: 'sha256:aaa...' },
    ]) {
      assert.throws(() => checkContentDigest(image, location), fails('IMAGE_DIGEST'))
    }
  })

  test('contradictions are found before anything is fetched', () => {
    checkDigests(make({ images: { i: { image: `x@${a}`, contentDigest: a } } }))
    checkDigests(make({ images: { vm: { image: `x@${a}`, contentDigest: b, imageType: 'iso' } } }))
    const bundle = make({ images: { i: { image: `x@${a}`, contentDigest: b } } })
    assert.throws(() => checkDigests(bundle), fails('IMAGE_DIGEST'))
  })

  test('a mapping must hold every image and lead to the same digest', () => {
    const bundle = make({ images: { i: { image: 'x/y', contentDigest: a } } })
    checkMapping(bundle, { 'example/run:1': 'r/run', 'x/y': `r/y@${a}` })
    assert.throws(() => checkMapping(bundle, { 'x/y': `r/y@${a}` }), fails('RELOCATION_INVALID'))
    assert.throws(
      () => checkMapping(bundle, { 'example/run:1': 'r', 'x/y': `r/y@${b}` }),
      fails('RELOCATION_INVALID'),
    )
    assert.equal(placeOf({ image: 'x/y' }, { 'x/y': 'moved' }), 'moved')
    assert.equal(placeOf({ image: 'toString' }, { 'x/y': 'moved' }), 'toString')
    for (const json of ['[]', '{"a":1}', '{"a":""}']) {
      assert.throws(() => parseRelocationMapping(Buffer.from(json)), fails('RELOCATION_INVALID'))
    }
  })
})
