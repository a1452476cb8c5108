import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  childrenOf,
  type DigestAlgorithm,
  Digester,
  digestOf,
  familiarReference,
  formatPlatform,
  formatReference,
  isDigest,
  mediaTypes,
  parseDescriptor,
  parseDigest,
  parseManifest,
  parsePlatform,
  parseReference,
  platformMatches,
  referrerDescriptor,
} from './index.ts'

const hex = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
const sha256 = `sha256:${hex}`

test('digests: three algorithms, lower case, exact length', () => {
  for (const algorithm of ['sha256', 'sha384', 'sha512'] as DigestAlgorithm[]) {
    const digester = new Digester(algorithm)
    digester.update(Buffer.from('ab'))
    digester.update(Buffer.from('c'))
    const digest = digester.finish()
    assert.equal(parseDigest(digest), digestOf(Buffer.from('abc'), algorithm))
    assert.ok(!isDigest(digest.slice(0, -1)))
    assert.ok(!isDigest(`${digest}0`))
    assert.ok(!isDigest(digest.toUpperCase()))
  }
  assert.equal(digestOf(new Uint8Array(0)), sha256)
  for (const text of [
    '',
    'sha256:',
    hex,
    `md5:${hex.slice(32)}`,
    `sha256:${hex}\n`,
    `sha256:../${hex.slice(3)}`,
  ]) {
    assert.throws(() => parseDigest(text), { code: 'DIGEST_INVALID' }, text)
  }
})

test('references are read as distribution reads them', () => {
  const cases: [string, string][] = [
    ['nginx', 'docker.io/library/nginx'],
    ['nginx:1.27', 'docker.io/library/nginx:1.27'],
    ['a/b', 'docker.io/a/b'],
    ['index.docker.io/a', 'docker.io/library/a'],
    ['docker.io/nginx', 'docker.io/library/nginx'],
    ['localhost/a', 'localhost/a'],
    ['localhost:5000', 'docker.io/library/localhost:5000'],
    ['localhost:5000/a:b', 'localhost:5000/a:b'],
    ['HOST/a', 'HOST/a'],
    ['[::1]:5000/a', '[::1]:5000/a'],
    [`a.b/c/d__e/f-g@${sha256}`, `a.b/c/d__e/f-g@${sha256}`],
    [`a.b/c:tag@${sha256}`, `a.b/c:tag@${sha256}`],
    ['xn--n3h.com/a---b:_T.-', 'xn--n3h.com/a---b:_T.-'],
  ]
  for (const [text, whole] of cases) {
    const reference = parseReference(text)
    assert.equal(formatReference(reference), whole, text)
    assert.deepEqual(parseReference(formatReference(reference)), reference, text)
    assert.deepEqual(parseReference(familiarReference(reference)), reference, text)
  }
  assert.equal(familiarReference(parseReference('nginx:1')), 'nginx:1')
  assert.equal(familiarReference(parseReference('docker.io/a.b/c')), 'docker.io/a.b/c')
  assert.equal(familiarReference(parseReference('docker.io/localhost/c')), 'docker.io/localhost/c')
})

test('what distribution refuses is refused', () => {
  const bad = [
    '',
    'A',
    'a/',
    '/a',
    'a//b',
    'a:',
    'a@sha256:1',
    'a b',
    'a..b/c',
    '../a',
    'a/../b',
    'a:b:c',
    '-a',
    'a_-b',
    hex,
  ]
  for (const text of [
    ...bad,
    'a:'.padEnd(131, 'x'),
    'x'.repeat(256),
    `h.x/${'a/'.repeat(2100)}a`,
    'a\n',
    'a:t\n',
  ]) {
    assert.throws(() => parseReference(text), { code: 'REFERENCE_INVALID' }, text.slice(0, 50))
  }
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        const reference = parseReference(text)
        assert.deepEqual(parseReference(formatReference(reference)), reference)
      } catch (error) {
        assert.equal((error as { code: string }).code, 'REFERENCE_INVALID')
      }
    }),
  )
})

test('platforms', () => {
  assert.equal(formatPlatform(parsePlatform('Linux/aarch64')), 'linux/arm64')
  assert.ok(platformMatches(parsePlatform('linux/arm'), parsePlatform('linux/arm/v7')))
  assert.ok(!platformMatches(parsePlatform('linux/arm/v6'), parsePlatform('linux/arm/v7')))
  assert.ok(platformMatches(parsePlatform('linux/arm64'), parsePlatform('linux/arm64/v8')))
  assert.ok(platformMatches(parsePlatform('linux/arm64/v8'), parsePlatform('linux/arm64')))
  assert.ok(platformMatches(parsePlatform('linux/arm/v7'), parsePlatform('linux/arm')))
  assert.equal(parsePlatform('linux/constructor').architecture, 'constructor')
  const odd = {
    mediaType: 'a/b',
    digest: sha256,
    size: 0,
    platform: { os: 'l', architecture: 'a', variant: 7, x: 1 },
  }
  assert.deepEqual(parseDescriptor(odd as never).platform, { os: 'l', architecture: 'a' })
  for (const text of ['', 'linux', 'linux/', 'a/b/c/d', 'l x/y']) {
    assert.throws(() => parsePlatform(text), { code: 'PLATFORM_INVALID' })
  }
})

const config = { mediaType: mediaTypes.ociConfig, digest: sha256, size: 0 }
const manifestBytes = (value: object) => Buffer.from(JSON.stringify(value))

test('manifests of both families are read, and nothing is converted', () => {
  const image = parseManifest(
    manifestBytes({
      schemaVersion: 2,
      mediaType: mediaTypes.dockerManifest,
      config,
      layers: [config, config],
    }),
  )
  assert.equal(image.mediaType, mediaTypes.dockerManifest)
  assert.equal(childrenOf(image).length, 3)
  const index = parseManifest(manifestBytes({ schemaVersion: 2, manifests: [config] }))
  assert.equal(index.kind, 'index')
  assert.equal(index.mediaType, mediaTypes.ociIndex)
  const nullLayers = parseManifest(manifestBytes({ schemaVersion: 2, config, layers: null }))
  assert.equal(childrenOf(nullLayers).length, 1)
})

test('a referrer is described as distribution-spec says', () => {
  const subject = { mediaType: mediaTypes.ociManifest, digest: sha256, size: 3 }
  const content = { digest: digestOf(Buffer.from('x')), size: 1 }
  const body = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config,
    layers: [],
    subject,
    annotations: { a: 'b' },
  }
  assert.deepEqual(referrerDescriptor(parseManifest(manifestBytes(body)), content), {
    mediaType: mediaTypes.ociManifest,
    ...content,
    artifactType: mediaTypes.ociConfig,
    annotations: { a: 'b' },
  })
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [], subject }
  assert.equal(referrerDescriptor(parseManifest(manifestBytes(index)), content).artifactType, undefined)
})

test('ambiguous, old, wide and malformed manifests are refused', () => {
  const refusals: [object, string][] = [
    [{ schemaVersion: 1 }, 'MANIFEST_UNSUPPORTED'],
    [{ schemaVersion: 3 }, 'MANIFEST_INVALID'],
    [{ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [], config }, 'MANIFEST_INVALID'],
    [
      { schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [], manifests: [] },
      'MANIFEST_INVALID',
    ],
    [{ schemaVersion: 2, mediaType: 'text/plain', config }, 'MANIFEST_INVALID'],
    [{ schemaVersion: 2, mediaType: mediaTypes.ociManifest }, 'DESCRIPTOR_INVALID'],
    [{ schemaVersion: 2, config: { ...config, size: -1 } }, 'DESCRIPTOR_INVALID'],
    [{ schemaVersion: 2, config: { ...config, size: 1.5 } }, 'DESCRIPTOR_INVALID'],
    [{ schemaVersion: 2, config: { ...config, size: 2 ** 53 } }, 'DESCRIPTOR_INVALID'],
    [{ schemaVersion: 2, config: { ...config, digest: 'sha256:x' } }, 'DESCRIPTOR_INVALID'],
    [{ schemaVersion: 2, config, layers: {} }, 'MANIFEST_INVALID'],
    [{ schemaVersion: 2, config, annotations: { a: 1 } }, 'DESCRIPTOR_INVALID'],
    [{ schemaVersion: 2, config, layers: [], Layers: [config] }, 'MANIFEST_INVALID'],
    [{ schemaVersion: 2, config: { ...config, Digest: sha256 } }, 'DESCRIPTOR_INVALID'],
    [{ schemaVersion: 2, mediaType: 5, config, layers: [] }, 'MANIFEST_INVALID'],
    [{ schemaVersion: 2, config, subject: 'x' }, 'DESCRIPTOR_INVALID'],
  ]
  for (const [body, code] of refusals) {
    assert.throws(() => parseManifest(manifestBytes(body)), { code }, JSON.stringify(body))
  }
  const offered = manifestBytes({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [] })
  assert.throws(() => parseManifest(offered, mediaTypes.ociIndex), { code: 'MANIFEST_INVALID' })
  const wide = (count: number) =>
    manifestBytes({ schemaVersion: 2, config, layers: Array(count).fill(config) })
  const bounds = { manifestBytes: 10_000, graphWidth: 3, jsonDepth: 10 }
  assert.equal(childrenOf(parseManifest(wide(3), undefined, bounds)).length, 4)
  assert.throws(() => parseManifest(wide(4), undefined, bounds), { code: 'GRAPH_TOO_WIDE' })
})

test('no bytes make the parsers throw anything but their codes', () => {
  const piece = fc.constantFrom(
    'schemaVersion',
    'config',
    'layers',
    'manifests',
    'mediaType',
    'digest',
    'size',
    'subject',
  )
  const json = fc.dictionary(
    piece,
    fc.oneof(fc.jsonValue(), fc.constant(2), fc.constant(config), fc.constant([config])),
  )
  fc.assert(
    fc.property(json, (value) => {
      try {
        parseManifest(manifestBytes(value))
        parseDescriptor(value as never)
      } catch (error) {
        assert.match(String((error as { code?: string }).code), /^(MANIFEST|DESCRIPTOR|JSON|GRAPH)_/)
      }
    }),
  )
})
