import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isRepositoryName } from '#oci/index.ts'
import { parseTarget, type Route } from './route.ts'

const route = (target: string): Route => parseTarget(target).route

// Names that try to be mistaken for routes.
const component = fc.oneof(
  fc.constantFrom(
    'blobs',
    'manifests',
    'tags',
    'list',
    'uploads',
    'referrers',
    'v2',
    'library',
    'a-b',
    'a__b',
    'x.y',
  ),
  fc.stringMatching(/^[a-z0-9]{1,8}$/),
)
const name = fc.array(component, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'))
const last = fc.stringMatching(/^[A-Za-z0-9_:.-]{1,40}$/).filter((text) => text !== 'uploads')

test('every route is read back, whatever words its repository is made of', () => {
  fc.assert(
    fc.property(name, last, (repository, named) => {
      assert.deepEqual(route(`/v2/${repository}/manifests/${named}`), {
        resource: 'manifest',
        repository,
        reference: named,
      })
      assert.deepEqual(route(`/v2/${repository}/blobs/${named}`), {
        resource: 'blob',
        repository,
        digest: named,
      })
      assert.deepEqual(route(`/v2/${repository}/referrers/${named}`), {
        resource: 'referrers',
        repository,
        digest: named,
      })
      assert.deepEqual(route(`/v2/${repository}/blobs/uploads/${named}`), {
        resource: 'upload',
        repository,
        id: named,
      })
      assert.deepEqual(route(`/v2/${repository}/blobs/uploads/`), { resource: 'uploads', repository })
      assert.deepEqual(route(`/v2/${repository}/blobs/uploads`), { resource: 'uploads', repository })
      assert.deepEqual(route(`/v2/${repository}/tags/list`), { resource: 'tags', repository })
    }),
  )
})

test('nothing is thrown, and no repository escapes the grammar', () => {
  const hostile = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .array(
        fc.oneof(
          fc.constantFrom('..', '.', '', '%2f', '%2e%2e', '%00', 'blobs', 'manifests', 'x', '%', '\\'),
          fc.string(),
        ),
      )
      .map((parts) => `/v2/${parts.join('/')}`),
  )
  fc.assert(
    fc.property(hostile, (target) => {
      const found = route(target)
      if ('repository' in found && found.resource !== 'badName') assert.ok(isRepositoryName(found.repository))
    }),
  )
})

test('the fixed addresses, with and without a query, in both forms of a target', () => {
  assert.deepEqual(route('/v2/'), { resource: 'base' })
  assert.deepEqual(route('/v2'), { resource: 'base' })
  assert.deepEqual(parseTarget('/v2/_catalog?n=1'), { route: { resource: 'catalog' }, query: 'n=1' })
  assert.deepEqual(route('/healthz'), { resource: 'health' })
  assert.deepEqual(route('/metrics'), { resource: 'metrics' })
  assert.deepEqual(route('http://host:5000/v2/a/tags/list?x'), { resource: 'tags', repository: 'a' })
  assert.deepEqual(route('http://host'), { resource: 'unknown' })
  for (const target of ['/', '', '*', '/v1/', '/v2x/a/tags/list', '/v2/a', '/v2/a/b/c', '/v2/a/tags/other']) {
    assert.equal(route(target).resource, 'unknown', target)
  }
})

test('what is encoded is decoded once, and never makes a new component', () => {
  assert.deepEqual(route('/v2/a/blobs/sha256%3Aab'), {
    resource: 'blob',
    repository: 'a',
    digest: 'sha256:ab',
  })
  for (const target of [
    '/v2/a%2Fb/tags/list',
    '/v2/%2e%2e/tags/list',
    '/v2/a/../b/tags/list',
    '/v2//tags/list',
    '/v2/a//b/tags/list',
    '/v2/A/tags/list',
    '/v2/a%252Fb/tags/list',
    '/v2/tags/list',
    `/v2/${'a'.repeat(256)}/tags/list`,
  ]) {
    assert.equal(route(target).resource, 'badName', target)
  }
  assert.equal(route(`/v2/${'a'.repeat(255)}/tags/list`).resource, 'tags')
  assert.equal(route('/v2/a/blobs/%zz').resource, 'unknown')
  assert.equal(route('/v2/a/blobs/%ff').resource, 'unknown')
})
