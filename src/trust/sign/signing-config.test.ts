import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isFailure } from '#base/index.ts'
import { parseSigningConfig } from './signing-config.ts'

const at = new Date('2026-11-21T00:00:00Z')
const mediaType = 'application/vnd.dev.sigstore.signingconfig.v0.2+json'
const parse = (config: unknown) => parseSigningConfig(Buffer.from(JSON.stringify(config)), at)
const service = (url: string, majorApiVersion: number, start: string, more = {}) => ({
  url,
  majorApiVersion,
  validFor: { start },
  operator: url,
  ...more,
})
const log = (url: string, version: number, start: string, more = {}) => service(url, version, start, more)

test('one service of each kind is chosen: in time, known, the newest', () => {
  const services = parse({
    mediaType,
    caUrls: [
      service('https://ca.old', 1, '2020-01-01T00:00:00Z'),
      service('https://ca', 1, '2025-01-01T00:00:00Z'),
    ],
    oidcUrls: [{ url: 'https://oidc' }],
    rekorTlogUrls: [
      log('https://rekor.next', 2, '2027-01-01T00:00:00Z'),
      log('https://rekor.2', 2, '2025-06-01T00:00:00Z'),
      log('https://rekor.1', 1, '2021-01-01T00:00:00Z'),
      log('https://rekor.3', 3, '2026-06-01T00:00:00Z'),
      log('https://rekor.gone', 2, '2026-01-01T00:00:00Z', { validFor: { end: '2026-11-20T23:59:59Z' } }),
    ],
    rekorTlogConfig: { selector: 'ANY' },
    tsaUrls: [service('https://tsa/api/v1/timestamp', 1, '2025-01-01T00:00:00Z')],
    tsaConfig: { selector: 'ALL' },
  })
  assert.deepEqual(services, {
    fulcioUrl: 'https://ca',
    logs: [{ url: 'https://rekor.2', version: 2 }],
    timeStampUrls: ['https://tsa/api/v1/timestamp'],
  })
})

test('of one operator the highest version is taken; EXACT takes so many operators', () => {
  const rekorTlogUrls = [
    log('https://a.1', 1, '2026-01-01T00:00:00Z', { operator: 'a' }),
    log('https://a.2', 2, '2025-01-01T00:00:00Z', { operator: 'a' }),
    log('https://b.1', 1, '2025-02-01T00:00:00Z', { operator: 'b' }),
  ]
  const exact = (count: number) =>
    parse({ mediaType, rekorTlogUrls, rekorTlogConfig: { selector: 'EXACT', count } })
  assert.deepEqual(exact(2).logs, [
    { url: 'https://b.1', version: 1 },
    { url: 'https://a.2', version: 2 },
  ])
  assert.throws(
    () => exact(3),
    (error) => isFailure(error, 'SIGNING_CONFIG_INVALID'),
  )
  assert.deepEqual(parse({ mediaType }), { logs: [], timeStampUrls: [] })
})

test('what is no signing configuration is refused', () => {
  for (const config of [
    [],
    {},
    { mediaType: 'application/vnd.dev.sigstore.signingconfig.v0.1+json' },
    { mediaType, caUrls: {} },
    { mediaType, caUrls: [{}] },
    { mediaType, caUrls: [{ url: 'https://x', majorApiVersion: 1, validFor: { start: 'soon' } }] },
    { mediaType, tsaConfig: { selector: 'MOST' } },
    { mediaType, tsaConfig: { selector: 'EXACT' } },
  ]) {
    assert.throws(
      () => parse(config),
      (error) => isFailure(error, 'SIGNING_CONFIG_INVALID'),
      JSON.stringify(config),
    )
  }
})

test('any JSON is a configuration or refused as none', () => {
  const member = fc.oneof(
    fc.jsonValue(),
    fc.array(fc.record({ url: fc.webUrl(), majorApiVersion: fc.jsonValue() })),
  )
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom('caUrls', 'rekorTlogUrls', 'tsaUrls', 'tsaConfig'), member),
      (rest) => {
        try {
          parse({ ...rest, mediaType })
        } catch (error) {
          assert.ok(isFailure(error, 'SIGNING_CONFIG_INVALID'), String(error))
        }
      },
    ),
  )
})
