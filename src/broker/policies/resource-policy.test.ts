import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { isFailure, type Json } from '#base/index.ts'
import { decide, type PolicyFile } from '#policy/index.ts'
import { compileBrokerPolicy, starterPolicies } from './index.ts'

const at = new Date('2026-11-21T12:00:00Z')
const asked = { plugin: 'resource', 'resource-path': ['myrepo', 'secret', 'secret1'], query: {} }
const rego = (text: string): PolicyFile => ({ path: 'policy.rego', text })
const data = (text: string): PolicyFile => ({ path: 'data.json', text })
const ask = (files: readonly PolicyFile[], claims: Json, request: Json = asked) =>
  decide(compileBrokerPolicy('resource', files), { claims, request }, at)
const allows = (text: string, claims: Json = {}, request: Json = asked) =>
  ask([rego(`package policy\nimport rego.v1\n${text}`)], claims, request).allowed

describe('a resource policy', () => {
  test('sees the claims as input, and what is asked for as data', () => {
    assert.equal(allows('allow if input.a == 1', { a: 1 }), true)
    assert.equal(allows('allow if input.a == 1', { a: 2 }), false)
    assert.equal(
      allows(`allow if {
        data.plugin == "resource"
        data["resource-path"] == ["myrepo", "secret", "secret1"]
        data.query == {}
      }`),
      true,
    )
    const request = { ...asked, query: { v: '1' }, resource: { facts: { name: 'n' } } }
    assert.equal(allows('allow if data.query.v == "1"', {}, request), true)
    assert.equal(allows('allow if data.request.resource.facts.name == "n"', {}, request), true)
  })

  test('denies by all that is not true', () => {
    for (const text of [
      'allow := "true"',
      'allow := 1',
      'allow := null',
      'allow := {"allow": true}',
      'allow := false',
      'allow if input.never',
      'default allow := false',
    ])
      assert.equal(allows(text), false, text)
    assert.equal(allows('allow := true'), true)
  })

  test('two answers at once, and endless ones, are no', () => {
    const twice = ask([rego('package policy\nimport rego.v1\nallow := true\nallow := false if input.a')], {
      a: 1,
    })
    assert.deepEqual([twice.allowed, twice.reasons[0]?.code], [false, 'POLICY_FAILED'])
  })

  test('its own data cannot stand for what is asked', () => {
    const files = (name: string) => [
      rego(`package policy\nimport rego.v1\nallow if data["${name}"] == "mine"`),
      data(JSON.stringify({ [name]: 'mine' })),
    ]
    for (const name of ['plugin', 'resource-path', 'query', 'request']) {
      assert.equal(ask(files(name), {}).allowed, false, name)
      const { [name as 'plugin']: _, ...rest } = asked
      if (name !== 'request') assert.equal(ask(files(name), {}, rest).allowed, false, `without ${name}`)
    }
    assert.equal(ask(files('others'), {}).allowed, true)
  })

  test("a package or data in the place of the broker's question is refused", () => {
    const no = rego('package policy\nallow := false')
    const other = (text: string) => [no, { path: 'other.rego', text }]
    for (const files of [
      other('package sealift\nx := 1'),
      other('package sealift.release\nallowed := true'),
      other('package sealift["release"]\nallowed := true'),
      other('package # x\n  sealift.release\nallowed := true'),
      other('# x\n\npackage\tsealift.release.more\nallowed := true'),
      [no, data('{"sealift": {"release": {"allowed": true}}}')],
      [no, data('{"seal\\u0069ft": {"release": {"decision": {"allow": true}}}}')],
    ]) {
      assert.throws(
        () => compileBrokerPolicy('resource', files),
        (error) => isFailure(error, 'POLICY_PACKAGE_RESERVED'),
        JSON.stringify(files),
      )
      const attestation = [{ path: 'a.rego', text: 'package policy\ntrust_claims := {}' }, ...files.slice(1)]
      assert.throws(
        () => compileBrokerPolicy('attestation/default_cpu', attestation),
        (error) => isFailure(error, 'POLICY_PACKAGE_RESERVED'),
      )
    }
    for (const text of [
      'package sealift2\nx := 1',
      'package mine\n# package sealift\nx := "package sealift"',
    ])
      assert.equal(ask(other(text), {}).allowed, false)
  })

  test('what does not compile, or has no rule, is refused', () => {
    const code = (files: readonly PolicyFile[], name: string) =>
      assert.throws(
        () => compileBrokerPolicy('resource', files),
        (error) => isFailure(error, name),
      )
    code([rego('package other\nallow := true')], 'POLICY_RULE_MISSING')
    code([rego('package policy\nallow :=')], 'POLICY_SYNTAX')
    code([rego('package policy\nallow := true'), data('{')], 'POLICY_DATA_INVALID')
    code([rego('package policy\nallow := true'), data('[]')], 'POLICY_DATA_INVALID')
    code([rego('package policy\nallow := http.send({})')], 'POLICY_FORBIDDEN')
    code([], 'POLICY_RULE_MISSING')
  })

  test('it may say why', () => {
    const { allowed, reasons } = ask(
      [
        rego(`package policy
import rego.v1
default allow := false
reasons contains "only for runners" if input.kind != "runner"
reasons contains {"code": "WRONG_PLACE", "message": data.plugin}
reasons contains 5
`),
      ],
      { kind: 'x' },
    )
    assert.equal(allowed, false)
    assert.deepEqual(reasons, [
      { code: 'RESOURCE_POLICY', message: 'only for runners' },
      { code: 'WRONG_PLACE', message: 'resource' },
    ])
  })

  test('it may say until when, and all of it sees what is asked', () => {
    const said = (text: string) =>
      ask([rego(`package policy\nimport rego.v1\nallow := true\n${text}`)], { to: '2027-01-01T00:00:00Z' })
    const end = new Date('2027-01-01T00:00:00Z')
    assert.deepEqual(said('valid_until := input.to').validUntil, end)
    const both = said('valid_until := input.to if data.plugin == "resource"\nreasons := [data.plugin]')
    assert.deepEqual([both.validUntil, both.reasons[0]?.message, both.allowed], [end, 'resource', true])
    assert.equal(said('valid_until := input.to if data.plugin == "other"').validUntil, undefined)
    const nonsense = said('valid_until := "soon"')
    assert.deepEqual([nonsense.allowed, nonsense.reasons[0]?.code], [false, 'POLICY_RESULT_INVALID'])
    assert.deepEqual(said('# reasons, valid_until').reasons, [])
  })

  test('it may read the clock: the moment of the question', () => {
    const text = 'package policy\nimport rego.v1\nallow if time.now_ns() < 1795262400000000000'
    const policy = compileBrokerPolicy('resource', [rego(text)])
    const input = { claims: {}, request: asked }
    const limit = Date.parse('2026-11-21T12:00:00Z')
    assert.equal(decide(policy, input, new Date(limit - 1)).allowed, true)
    assert.equal(decide(policy, input, new Date(limit)).allowed, false)
  })
})

describe('the policies of a new broker', () => {
  const resource = starterPolicies.get('resource')!
  const status = (...each: string[]) => ({
    submods: Object.fromEntries(each.map((one, at) => [`cpu${at}`, { 'ear.status': one }])),
  })

  test('release only to guests of which every part is affirmed', () => {
    assert.equal(ask(resource, status('affirming')).allowed, true)
    assert.equal(ask(resource, status('affirming', 'affirming')).allowed, true)
    for (const plugin of ['nebula-ca', 'pki'])
      assert.equal(ask(resource, status('affirming'), { ...asked, plugin }).allowed, true)
    assert.equal(ask(resource, status('affirming'), { ...asked, plugin: 'other' }).allowed, false)
    for (const claims of [
      null,
      {},
      status(),
      status('none'),
      status('warning'),
      status('contraindicated'),
      status('affirming', 'warning'),
      { submods: { cpu0: {} } },
      { submods: 'affirming' },
    ])
      assert.equal(ask(resource, claims).allowed, false, JSON.stringify(claims))
  })

  test('all compile', () => {
    for (const [name, files] of starterPolicies) compileBrokerPolicy(name, files)
    assert.ok(starterPolicies.has('attestation/default_cpu'))
  })
})

const vectors = join(import.meta.dirname, '../../../../shared/vectors/confidential/trustee')
const absent = existsSync(vectors) ? false : 'NOT TESTED: the shared vectors are not here'

describe("Trustee's own resource policies", { skip: absent }, () => {
  const load = (path: string) => [rego(readFileSync(join(vectors, path), 'utf8'))]
  const sample = (claims: object, status = 'affirming') => ({
    submods: {
      cpu0: { 'ear.status': status, 'ear.veraison.annotated-evidence': { sample: { ...claims } } },
    },
  })
  const snp = {
    submods: { cpu0: { 'ear.status': 'warning', 'ear.veraison.annotated-evidence': { snp: {} } } },
  }
  const at = (plugin: string, ...path: string[]) => ({ plugin, 'resource-path': path, query: {} })

  test('that ship with its broker', () => {
    const results = (path: string) => {
      const files = load(path)
      return [
        ask(files, sample({})).allowed,
        ask(files, snp).allowed,
        ask(files, snp, at('nebula-ca', 'credential')).allowed,
        ask(files, { submods: {} }).allowed,
      ]
    }
    assert.deepEqual(results('rego/kbs/default.rego'), [false, true, false, true])
    assert.deepEqual(results('rego/kbs/allow_all.rego'), [true, true, false, true])
    assert.deepEqual(results('rego/kbs/deny_all.rego'), [false, false, false, false])
    assert.deepEqual(results('rego/kbs/affirming.rego'), [true, false, false, false])
    const example = JSON.parse(readFileSync(join(vectors, 'as/example.token.json'), 'utf8')) as Json
    assert.equal(ask(load('rego/kbs/affirming.rego'), example).allowed, false)
  })

  test("of its engine's tests", () => {
    const product = sample({ productId: 'xxx', svn: 1 })
    const path = at('resource', 'my', 'xxx', 'yyy')
    for (const name of ['policy_1', 'policy_4']) {
      const files = load(`rego/engine/${name}.rego`)
      assert.equal(ask(files, product, path).allowed, true)
      assert.equal(ask(files, sample({ productId: 'aaa' }), path).allowed, false)
      assert.equal(ask(files, product, at('resource', 'my', 'xxx', 'yyy', 'zzz')).allowed, false)
      assert.equal(ask(files, product, at('other', 'my', 'xxx', 'yyy')).allowed, false)
      assert.equal(ask(files, {}, path).allowed, false)
    }
    assert.equal(ask(load('rego/engine/policy_2.rego'), {}, path).allowed, true)
    assert.equal(ask(load('rego/engine/policy_3.rego'), product, path).allowed, false)
    const svn = load('rego/engine/policy_5.rego')
    const secret = (name: string) => at('resource', 'myrepo', 'secret', name)
    assert.equal(ask(svn, sample({ svn: 2 }), secret('secret1')).allowed, true)
    assert.equal(ask(svn, sample({ svn: 1 }), secret('secret1')).allowed, false)
    assert.equal(ask(svn, sample({ svn: 3 }), secret('secret2')).allowed, true)
    assert.equal(ask(svn, sample({ svn: 2 }), secret('secret2')).allowed, false)
    assert.equal(ask(svn, sample({ svn: 9 }), secret('secret3')).allowed, false)
    assert.equal(ask(svn, snp, secret('secret1')).allowed, false)
  })
})
