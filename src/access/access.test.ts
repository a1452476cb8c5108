import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { SealiftError } from '#base/index.ts'
import {
  accessFacts,
  anonymousPrincipal,
  formatPrincipal,
  grantFor,
  isProtected,
  mayDo,
  mayDoEverywhere,
  type Principal,
  parseAccessRules,
  parsePrincipal,
  roles,
  rolesFor,
  roleVerbs,
  type Verb,
  verbs,
} from './index.ts'
import { isRepositoryPattern, matchesPattern, segmentsOf } from './repository-pattern.ts'

const matches = (pattern: string, repository: string): boolean => {
  const segments = segmentsOf(repository)
  return segments !== undefined && matchesPattern(pattern, segments)
}

const rules = parseAccessRules(`
version: 1
groups:
  release: [user:ada, "key:00ff"]
grants:
  - { role: owner, to: [user:olga], repositories: ["**"] }
  - { role: releaser, to: [group:release], repositories: [shop/**] }
  - { role: courier, to: [user:carl], repositories: [shop/*] }
  - { role: operator, to: ["*"], repositories: [shop/web, ghcr.io/base/*] }
  - { role: auditor, to: ["certificate:spiffe://site/audit", group:audit], repositories: ["**"] }
  - { role: operator, to: [anonymous], repositories: [public/*] }
`)
const user = (name: string, groups?: string[]): Principal => parsePrincipal(`user:${name}`, groups)

test('who may do what: a table', () => {
  const table: readonly [Principal, Verb, string, boolean][] = [
    [user('olga'), 'delete', 'anything/at/all', true],
    [user('olga'), 'override', 'shop/web', true],
    [user('ada'), 'push', 'shop/web', true],
    [user('ada'), 'sign', 'shop/a/b', true],
    [user('ada'), 'push', 'shop', false],
    [user('ada'), 'push', 'shopping/web', false],
    [user('ada'), 'delete', 'shop/web', false],
    [user('ada'), 'approve', 'shop/web', false],
    [user('Ada'), 'push', 'shop/web', false],
    [parsePrincipal('key:00ff'), 'sign', 'shop/web', true],
    [parsePrincipal('service:ada'), 'push', 'shop/web', false],
    [user('eve', ['release']), 'push', 'shop/web', true],
    [user('carl'), 'carry', 'shop/web', true],
    [user('carl'), 'carry', 'shop/a/b', false],
    [user('carl'), 'push', 'shop/web', false],
    [user('eve'), 'install', 'shop/web', true],
    [user('eve'), 'pull', 'ghcr.io/base/os', true],
    [user('eve'), 'pull', 'ghcr.io/base/os/x', false],
    [user('eve'), 'push', 'shop/web', false],
    [user('eve', ['audit']), 'audit', 'x', true],
    [parsePrincipal('certificate:spiffe://site/audit'), 'audit', 'x/y', true],
    [parsePrincipal('certificate:spiffe://site/audit/x'), 'audit', 'x/y', false],
    [anonymousPrincipal, 'pull', 'public/a', true],
    [anonymousPrincipal, 'pull', 'shop/web', false],
    [user('eve'), 'pull', 'public/a', true],
    [anonymousPrincipal, 'push', 'public/a', false],
  ]
  for (const [principal, verb, repository, expected] of table) {
    assert.equal(
      mayDo(rules, principal, verb, repository),
      expected,
      `${formatPrincipal(principal)} ${verb} ${repository}`,
    )
  }
})

test('the grant that decides is told, and what is protected follows from strangers', () => {
  assert.equal(grantFor(rules, user('ada'), 'push', 'shop/web'), rules.grants[1])
  assert.deepEqual(rolesFor(rules, user('ada'), 'shop/web'), ['releaser', 'operator'])
  assert.deepEqual(rolesFor(rules, anonymousPrincipal, 'shop/web'), [])
  assert.ok(isProtected(rules, 'shop/web') && isProtected(rules, 'public') && !isProtected(rules, 'public/a'))
  assert.ok(mayDoEverywhere(rules, user('olga'), 'push'))
  assert.ok(!mayDoEverywhere(rules, user('ada'), 'pull'))
})

test('everything is denied by default', () => {
  const none = parseAccessRules('{version: 1, grants: []}')
  for (const verb of verbs) {
    assert.ok(!mayDo(none, user('root'), verb, 'a') && !mayDoEverywhere(none, anonymousPrincipal, verb))
  }
})

test('facts are plain, sorted and name the rules', () => {
  assert.deepEqual(accessFacts(rules, user('carl', ['b', 'a']), ['shop/x', 'shop/web', 'shop/x']), {
    principal: { kind: 'user', name: 'carl', groups: ['a', 'b'] },
    rules: rules.digest,
    repositories: [
      { name: 'shop/web', roles: ['courier', 'operator'], verbs: ['list', 'pull', 'carry', 'install'] },
      { name: 'shop/x', roles: ['courier'], verbs: ['list', 'pull', 'carry'] },
    ],
  })
})

test('the digest is that of what the rules say, not of how they are written', () => {
  const a = parseAccessRules('version: 1\ngrants: [{role: owner, to: [user:a], repositories: [x]}]')
  const b = parseAccessRules(
    '{"grants": [{"to": ["user:a"], "role": "owner", "repositories": ["x"]}], "version": 1, "groups": {}}',
  )
  const c = parseAccessRules('version: 1\ngrants: [{role: owner, to: [user:b], repositories: [x]}]')
  assert.equal(a.digest, b.digest)
  assert.notEqual(a.digest, c.digest)
})

test('what is not known in a file is refused', () => {
  const grant = (change: string) =>
    `version: 1\ngrants:\n  - {role: owner, to: [user:a], repositories: [x], ${change}}`
  const one = (member: string, value: string) => {
    const members = { role: 'owner', to: '[user:a]', repositories: '[x]', [member]: value }
    return `version: 1\ngrants:\n  - {${Object.entries(members)
      .map((pair) => pair.join(': '))
      .join(', ')}}`
  }
  const wrong = [
    '',
    'grants',
    'grants: []',
    'version: 2\ngrants: []',
    'version: 1',
    'version: 1\ngrants: []\nextra: 1',
    'version: 1\nversion: 1\ngrants: []',
    'version: 1\ngrants: {}',
    grant('until: 2030-01-01'),
    one('role', 'admin'),
    one('to', '[]'),
    one('to', 'user:a'),
    ...[
      'user:',
      'User:a',
      'bob',
      'user: a',
      '"user:a\\n"',
      'group:',
      'anonymous:x',
      '""',
      '"user:a\\u202e"',
    ].map((to) => one('to', `[${to}]`)),
    ...[
      '""',
      '/x',
      'x/',
      'x//y',
      '../x',
      'x/../y',
      'X',
      'x%2fy',
      'x*',
      '**/x',
      'a/**/b',
      '***',
      'x:1',
      'x y',
      '"x\\n"',
    ].map((name) => one('repositories', `[${name}]`)),
    'version: 1\ngroups: {a: [group:b]}\ngrants: []',
    'version: 1\ngroups: {a: ["*"]}\ngrants: []',
    'version: 1\ngroups: {a: []}\ngrants: []',
    'version: 1\ngroups: {__proto__: [user:a]}\ngrants: []',
    'version: 1\nx: &a [1]\ngrants: *a',
    `version: 1\ngrants: ${'['.repeat(2000)}`,
    'version: 1\ngrants: !!js/function x',
    'version: .inf\ngrants: []',
    'version: 1\ngrants: .nan',
    'version: 1\n[a]: 1\ngrants: []',
    'version: 1\ngrants: !!binary aGVsbG8=',
    'version: 1\ngrants: []\n---\nversion: 1\ngrants: []',
    '\t: [',
  ]
  for (const text of wrong)
    assert.throws(() => parseAccessRules(text), { code: 'ACCESS_RULES_INVALID' }, text)
})

test('a file stands at its limits', () => {
  const bounds = { accessRulesBytes: 200, accessGrants: 2 }
  const grants = (count: number) =>
    `version: 1\ngrants:\n${'- {role: owner, to: [user:a], repositories: [x]}\n'.repeat(count)}`
  parseAccessRules(grants(2), bounds)
  assert.throws(() => parseAccessRules(grants(3), bounds), {
    code: 'ACCESS_RULES_INVALID',
    message: /2 grants/,
  })
  parseAccessRules(grants(2).padEnd(200, '#'), bounds)
  assert.throws(() => parseAccessRules(grants(2).padEnd(201, '#'), bounds), { code: 'ACCESS_RULES_INVALID' })
})

const component = fc.stringMatching(/^[a-z0-9]{1,3}([._-][a-z0-9]{1,2})?$/)
const name = fc.array(component, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'))
const pattern = fc
  .tuple(
    fc.array(fc.oneof(component, fc.constant('*')), { minLength: 0, maxLength: 4 }),
    fc.oneof(component, fc.constantFrom('*', '**')),
  )
  .map(([parts, last]) => [...parts, last].join('/'))

test('a pattern lets through what it says and no more: it agrees with its expression', () => {
  fc.assert(
    fc.property(pattern, name, (text, repository) => {
      assert.ok(isRepositoryPattern(text))
      const expression = text
        .split('/')
        .map((part) => (part === '**' ? '.+' : part === '*' ? '[^/]+' : part.replaceAll('.', '\\.')))
        .join('/')
      assert.equal(matches(text, repository), new RegExp(`^${expression}$`).test(repository))
    }),
    { numRuns: 2000 },
  )
})

test('a pattern made from a name matches it; one without stars matches nothing else', () => {
  fc.assert(
    fc.property(name, name, fc.nat(), (repository, other, at) => {
      const parts = repository.split('/')
      const starred = parts.map((part, index) => (index === at % parts.length ? '*' : part)).join('/')
      assert.ok(matches(repository, repository) && matches(starred, repository))
      assert.ok(matches('**', repository) && matches(`${repository}/**`, `${repository}/x`))
      assert.ok(!matches(`${repository}/**`, repository))
      assert.equal(matches(repository, other), repository === other)
    }),
  )
})

test('no name that is none is ever matched', () => {
  const hostile = [
    '..',
    '../shop/web',
    'shop/../web',
    'shop/./web',
    'shop//web',
    '/shop/web',
    'shop/web/',
    'shop%2fweb',
    'shop/%2e%2e/web',
    'Shop/web',
    'shop/WEB',
    'shop\\web',
    'shop/web\0',
    'shop/web ',
    'shop/web\n',
    '',
    '*',
    'shop/*',
    '**',
    'shop/web:latest',
    'shop/web@sha256',
    'http://x/y',
    `${'a/'.repeat(200)}a`,
    '\u017fhop/web',
  ]
  for (const repository of hostile) {
    for (const text of ['**', 'shop/**', 'shop/*', '*/*', 'shop/web', repository]) {
      assert.ok(!matches(text, repository), `${text} ${JSON.stringify(repository)}`)
    }
    for (const verb of verbs) assert.ok(!mayDo(rules, user('olga'), verb, repository))
  }
  fc.assert(
    fc.property(fc.string(), name, (junk, repository) => {
      fc.pre(/[^a-z0-9._\-/:]/.test(junk))
      const at = junk.length % (repository.length + 1)
      assert.ok(!matches('**', repository.slice(0, at) + junk + repository.slice(at)))
    }),
  )
})

test('any text is refused or read, never a fault', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json(),
        fc.constantFrom('version: 1\ngrants:\n').chain((head) => fc.string().map((tail) => head + tail)),
      ),
      (text) => {
        try {
          parseAccessRules(text)
        } catch (error) {
          assert.ok(error instanceof SealiftError && error.code === 'ACCESS_RULES_INVALID', String(error))
        }
      },
    ),
  )
})

test('a principal is named as grants name it', () => {
  for (const text of ['user:ada', 'key:00ff', 'certificate:a@b.example', 'service:ci:main', 'anonymous']) {
    assert.equal(formatPrincipal(parsePrincipal(text)), text)
  }
  for (const text of [
    '',
    'ada',
    'user:',
    '*',
    'group:x',
    'user:a\nb',
    'user: a',
    'ANONYMOUS',
    'anonymous:',
  ]) {
    assert.throws(() => parsePrincipal(text), { code: 'PRINCIPAL_INVALID' }, text)
  }
  assert.throws(() => parsePrincipal('anonymous', ['release']), { code: 'PRINCIPAL_INVALID' })
})

test('the document has the table of roles as it is', () => {
  const document = readFileSync(new URL('../../docs/access.md', import.meta.url), 'utf8')
  for (const role of roles) {
    const row = document.split('\n').find((line) => line.startsWith(`| \`${role}\` |`))
    const cells = row?.split('|').map((cell) => cell.trim()) ?? []
    const told =
      cells[2] === 'all of them'
        ? [...verbs]
        : (cells[2]?.match(/`(\w+)`/g) ?? []).map((verb) => verb.slice(1, -1))
    assert.deepEqual(told, [...roleVerbs[role]], role)
  }
  for (const verb of verbs) assert.match(document, new RegExp(`\\| \`${verb}\` \\|`))
  const example = document.match(/```yaml\n([\s\S]*?)```/)?.[1] ?? ''
  assert.ok(parseAccessRules(example).grants.length > 3)
})
