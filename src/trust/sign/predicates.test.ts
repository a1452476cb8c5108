import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isFailure } from '#base/index.ts'
import { parsePredicate, predicateNames, predicateType } from './predicates.ts'

const read = (name: string, value: unknown, options = {}) =>
  parsePredicate(name, Buffer.from(JSON.stringify(value)), options)
const refuses = (why: RegExp, act: () => Promise<unknown>, message?: string) =>
  assert.rejects(act, (error) => isFailure(error, 'PREDICATE_INVALID') && why.test(error.message), message)

/** The least that each kind must hold. */
const least: Readonly<Record<string, object>> = {
  slsaprovenance1: {
    buildDefinition: { buildType: 'https://x', externalParameters: {} },
    runDetails: { builder: { id: 'https://builder' } },
  },
  slsaprovenance02: { builder: { id: 'https://builder' }, buildType: 'https://x' },
  slsaprovenance: { builder: { id: 'https://builder' }, buildType: 'https://x' },
  vsa: {
    verifier: { id: 'https://v' },
    timeVerified: '2026-11-21T00:00:00Z',
    resourceUri: 'r',
    policy: {},
    verificationResult: 'PASSED',
    verifiedLevels: ['SLSA_BUILD_LEVEL_3'],
  },
  cyclonedx: { bomFormat: 'CycloneDX', specVersion: '1.6' },
  spdxjson: { spdxVersion: 'SPDX-2.3', SPDXID: 'SPDXRef-DOCUMENT', name: 'x', creationInfo: {} },
  vuln: {
    scanner: { uri: 'pkg:x', version: '1', result: {} },
    metadata: { scanStartedOn: '2026-11-21T00:00:00Z', scanFinishedOn: '2026-11-21T00:00:01Z' },
  },
  openvex: {
    '@context': 'https://openvex.dev/ns/v0.2.0',
    '@id': 'https://x',
    author: 'a',
    timestamp: '2026-11-21T00:00:00Z',
    statements: [],
  },
  link: { name: 'build', command: [], materials: [], byproducts: {}, environment: {} },
}

test('each kind takes the least that it must hold, and refuses less', async () => {
  for (const [name, value] of Object.entries(least)) {
    const { type, predicate } = await read(name, value)
    assert.equal(type, predicateType(name))
    assert.deepEqual(predicate, value)
    for (const member of Object.keys(value)) {
      const { [member]: _, ...less } = value as Record<string, unknown>
      await refuses(/./, () => read(name, less), `${name} without ${member}`)
      // The same by its URI.
      await refuses(/./, () => read(type, less), `${type} without ${member}`)
    }
  }
  const names = new Set([...Object.keys(least), 'spdx', 'custom'])
  assert.deepEqual(new Set(predicateNames), names, 'no kind is without a test')
  assert.equal(
    (await read('spdxjson', { '@context': 'https://spdx.org/rdf/3.0.0', '@graph': [] })).type,
    'https://spdx.dev/Document',
  )
})

test('custom and spdx take what there is, as cosign does', async () => {
  const at = new Date('2026-11-21T06:00:00.123Z')
  assert.deepEqual(await parsePredicate('custom', Buffer.from('any text'), { at }), {
    type: 'https://cosign.sigstore.dev/attestation/v1',
    predicate: { Data: 'any text', Timestamp: '2026-11-21T06:00:00Z' },
  })
  const spdx = await parsePredicate('spdx', Buffer.from('SPDXVersion: SPDX-2.3\n'))
  assert.equal(spdx.predicate, 'SPDXVersion: SPDX-2.3\n')
  await refuses(/UTF-8/, () => parsePredicate('custom', Buffer.from([0xff])))
})

test('any other type is a URI, whose predicate is any object, and of the schema where there is one', async () => {
  assert.deepEqual((await read('https://example.com/review/v1', { by: 'me' })).predicate, { by: 'me' })
  const schema = { type: 'object', required: ['by'], properties: { by: { type: 'string' } } }
  assert.equal(
    (await read('https://example.com/review/v1', { by: 'me' }, { schema })).type,
    'https://example.com/review/v1',
  )
  await refuses(/schema/, () => read('https://example.com/review/v1', {}, { schema }))
  await refuses(/schema/, () => read('custom', {}, { schema }))
  await refuses(/schema/, () => read('https://example.com/review/v1', {}, { schema: 7 }))
  await refuses(/object/, () => read('https://example.com/review/v1', [1]))
  await refuses(/type/, () => read('review', {}))
  await refuses(/type/, () => read('toString', {}))
})

test('what is not clean JSON, or too large, is refused', async () => {
  const bytes = Buffer.from('{"a":1,"a":2}')
  await refuses(/same key/, () => parsePredicate('https://x/y', bytes))
  assert.ok(await parsePredicate('https://x/y', Buffer.from('{"a":1}'), { maxBytes: 7 }))
  await refuses(/limit/, () => parsePredicate('https://x/y', Buffer.from('{"a":1}'), { maxBytes: 6 }))
})

test('any JSON is a predicate or refused as none', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...predicateNames), fc.jsonValue(), async (name, value) => {
      try {
        await read(name, value)
      } catch (error) {
        assert.ok(isFailure(error, 'PREDICATE_INVALID'), String(error))
      }
    }),
  )
})
