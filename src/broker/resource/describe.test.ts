import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isFailure, type Json, secretLimits } from '#base/index.ts'
import type { Caller } from '../types.ts'
import { checkQuery, describe, parseResourcePath } from './describe.ts'
import { type KeyTemplate, keyOf, keyPrefix, parseKeyTemplate, resourceOf } from './key-template.ts'
import { matchesText } from './pattern.ts'
import { storeFor } from './route.ts'
import type { Fact, ResourceConfiguration } from './types.ts'

const failsWith = (code: string) => (error: unknown) => isFailure(error, code)
const guest = (initData?: Json): Caller => ({
  kind: 'guest',
  claims: {},
  teeKey: {},
  ...(initData !== undefined && { initData }),
})
const admin: Caller = { kind: 'admin', principal: { kind: 'user', name: 'ada' } }
const path = ['repo', 'type', 'web.berlin']

test('three names are a path, and nothing else is', () => {
  assert.deepEqual(parseResourcePath(['a', 'B_9', '_c.-d']), { repository: 'a', type: 'B_9', tag: '_c.-d' })
  const hostile = [
    '',
    '.',
    '..',
    '...',
    '.a',
    '-a',
    'a/b',
    '/',
    'a\\b',
    'a%2f',
    '%2e%2e',
    'a b',
    'a\0',
    'a\n',
    'ä',
  ]
  hostile.push('a\u202e', "a'; DROP TABLE secrets;--", 'a*', '{repository}', 'a:b', '~', '=a', '\ud800')
  for (const name of hostile) {
    for (const at of [0, 1, 2]) {
      const tricked = ['a', 'b', 'c'].with(at, name)
      assert.throws(
        () => parseResourcePath(tricked),
        failsWith('RESOURCE_PATH_INVALID'),
        JSON.stringify(tricked),
      )
    }
  }
  for (const few of [[], ['a'], ['a', 'b'], ['a', 'b', 'c', 'd'], ['a', 'b', 'c', '']]) {
    assert.throws(() => parseResourcePath(few), failsWith('RESOURCE_PATH_INVALID'))
  }
  const longest = 'n'.repeat(secretLimits.nameLength)
  parseResourcePath(['a', longest, 'c'])
  assert.throws(() => parseResourcePath(['a', `${longest}n`, 'c']), failsWith('RESOURCE_PATH_INVALID'))
})

test('a query has text alone, up to its limits, and nothing inherited', () => {
  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`p${at}`, '']))
  checkQuery(many(secretLimits.queryParameters))
  const long = 'v'.repeat(secretLimits.textLength)
  checkQuery({ [long]: long })
  const wrong: unknown[] = [many(secretLimits.queryParameters + 1), { a: `${long}v` }, { [`${long}v`]: '' }]
  wrong.push({ a: ['x', 'y'] }, { a: { b: 'c' } }, { a: null }, { a: 1 })
  for (const query of wrong) {
    assert.throws(() => checkQuery(query as Record<string, string>), failsWith('RESOURCE_QUERY_INVALID'))
  }
  const query = checkQuery(JSON.parse('{"__proto__":"x","constructor":"y"}'))
  assert.equal(query.constructor as unknown, 'y')
  assert.equal(query.toString as unknown, undefined)
  assert.deepEqual(Object.keys(query), ['__proto__', 'constructor'])
})

test('facts come from path, query and init-data, and init-data is not outvoted by a query', () => {
  const facts: Record<string, Fact> = {
    node: { path: 'tag', split: '.', at: 0 },
    place: { path: 'tag', split: '.', at: 1 },
    none: { path: 'tag', split: '.', at: 2 },
    ip: { query: 'ip' },
    site: { initData: '/a~1b/0/site' },
  }
  const query = { ip: 'fd00::1', site: 'forged', more: 'x' }
  const initData = { 'a/b': [{ site: 'berlin' }] }
  const by = (caller: Caller) => ({ ...describe({ path, query, caller }, facts).facts })
  const base = { node: 'web', place: 'berlin', ip: 'fd00::1' }
  assert.deepEqual(by(guest(initData)), { ...base, site: 'berlin' })
  assert.deepEqual(by(guest({})), base, 'a guest whose init-data does not say it has no such fact')
  assert.deepEqual(by(guest()), base)
  assert.deepEqual(by(admin), { ...base, site: 'forged' }, 'an admin says it')
  assert.deepEqual(by({ kind: 'certificate', identity: 'x', claims: {} }), base)
  assert.deepEqual(by({ kind: 'anonymous' }), base)
})

test('a fact that is missing, is no text, or none of those that it may be is refused, without its value', () => {
  const refused = (fact: Fact, initData: Json) =>
    assert.throws(
      () => describe({ path, query: {}, caller: guest(initData) }, { site: fact }),
      (error: Error) => isFailure(error, 'RESOURCE_FACT_INVALID') && !error.message.includes('planted'),
    )
  const fact: Fact = { initData: '/s', required: true, oneOf: ['berlin', 'paris-*'] }
  for (const value of ['berlin', 'paris-', 'paris-2']) {
    assert.equal(describe({ path, query: {}, caller: guest({ s: value }) }, { site: fact }).facts.site, value)
  }
  for (const value of [
    'planted',
    '',
    'berlin ',
    'Berlin',
    'xparis-2',
    1,
    true,
    null,
    ['berlin'],
    { x: 'planted' },
  ]) {
    refused(fact, { s: value })
  }
  refused(fact, {})
  refused(fact, [])
  for (const value of ['a\nplanted', 'a\0', 'a\u202eb', 'v'.repeat(secretLimits.textLength + 1)]) {
    refused({ initData: '/s' }, { s: value })
  }
  describe(
    { path, query: {}, caller: guest({ s: 'v'.repeat(secretLimits.textLength) }) },
    { s: { initData: '/s' } },
  )
  for (const pointer of ['/length', '/constructor/name', '/__proto__', '/-', '/00', '/toString']) {
    for (const initData of [['a'], {}, 'text']) {
      const { facts } = describe({ path, query: {}, caller: guest(initData) }, { s: { initData: pointer } })
      assert.deepEqual({ ...facts }, {})
    }
  }
})

test('patterns match as their regular expressions do, and quickly', () => {
  const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*', '.'), maxLength: 8 })
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 10 })
  fc.assert(
    fc.property(pattern, text, (pattern, text) => {
      const source = pattern.replaceAll(/\*+/g, '*').replaceAll('.', '\\.').replaceAll('*', '.*')
      assert.equal(matchesText(pattern, text), new RegExp(`^${source}$`).test(text))
    }),
    { numRuns: 1000 },
  )
  assert.equal(matchesText(`${'*a'.repeat(500)}b`, 'a'.repeat(1024)), false)
})

test('the first route that matches names the store; what is absent matches nothing', () => {
  const configuration: Pick<ResourceConfiguration, 'default' | 'routes'> = {
    default: 'rest',
    routes: [
      { when: { repository: ['edge', 'edge-*'], facts: { site: '*' } }, store: 'sites' },
      { when: { type: 'public', tag: 'v*', query: { toString: '*' } }, store: 'never' },
      { when: { query: { v: ['1', '2'] } }, store: 'versioned' },
      { when: { repository: 'edge' }, store: 'edge' },
    ],
  }
  const store = (repository: string, query: Record<string, string> = {}, initData: Json = {}) => {
    const request = { path: [repository, 'public', 'v1'], query, caller: guest(initData) }
    return storeFor(configuration, describe(request, { site: { initData: '/site' } }))
  }
  assert.equal(store('edge', {}, { site: 'x' }), 'sites')
  assert.equal(store('edge-1', { v: '1' }, { site: '' }), 'sites')
  assert.equal(store('edge', { site: 'x' }), 'edge')
  assert.equal(store('edge', { v: '2' }), 'versioned')
  assert.equal(store('core', { v: '3' }), 'rest')
  assert.equal(storeFor({}, describe({ path, query: {}, caller: guest() }, {})), undefined)
})

test('a key tells its resource again, and no two resources have one key', () => {
  const template = parseKeyTemplate('sites/{facts.site}/{tag}/{repository}/x/{type}') as KeyTemplate
  const name = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,8}$/)
  const resource = fc.record(
    { repository: name, type: name, tag: name, site: name },
    { noNullPrototype: true },
  )
  const key = ({ site, ...names }: { site: string; repository: string; type: string; tag: string }) =>
    keyOf(template, { ...names, query: {}, facts: { site } })
  fc.assert(
    fc.property(resource, resource, (one, other) => {
      const { facts, ...names } = resourceOf(template, key(one))!
      assert.deepEqual({ ...names, site: facts.site }, one)
      assert.equal(key(one) === key(other), JSON.stringify(one) === JSON.stringify(other))
    }),
  )
  assert.equal(resourceOf(template, 'sites/a/b/c/y/d'), undefined)
  assert.equal(resourceOf(template, 'sites/a/b/c/x'), undefined)
  assert.equal(keyPrefix(template, 'repo'), 'sites/')
  assert.equal(
    keyPrefix(parseKeyTemplate('r/s/{repository}/{type}/{tag}') as KeyTemplate, 'repo'),
    'r/s/repo/',
  )
  for (const site of ['../x', 'a/b', '', '.', 'a b', 'n'.repeat(secretLimits.nameLength + 1)]) {
    const names = { repository: 'a', type: 'b', tag: 'c', query: {} }
    assert.throws(() => keyOf(template, { ...names, facts: { site } }), failsWith('RESOURCE_FACT_INVALID'))
  }
  assert.throws(
    () => keyOf(template, { repository: 'a', type: 'b', tag: 'c', query: {}, facts: {} }),
    failsWith('RESOURCE_FACT_INVALID'),
  )
})
