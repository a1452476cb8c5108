import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { limits } from '#base/index.ts'
import { type Challenge, parseChallenges } from './challenge.ts'

const plain = (text: string) =>
  parseChallenges(text).map(({ scheme, token68, parameters }) => ({
    scheme,
    ...(token68 !== undefined && { token68 }),
    ...Object.fromEntries(parameters),
  }))

test('reads what registries send', () => {
  assert.deepEqual(
    plain(
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"',
    ),
    [
      {
        scheme: 'bearer',
        realm: 'https://auth.docker.io/token',
        service: 'registry.docker.io',
        scope: 'repository:a/b:pull,push',
      },
    ],
  )
  assert.deepEqual(plain('Basic realm="a \\"quoted\\" realm"'), [
    { scheme: 'basic', realm: 'a "quoted" realm' },
  ])
})

test("reads RFC 9110's ambiguous lists: several challenges, bare schemes, token68, empty elements", () => {
  assert.deepEqual(plain('Basic realm="simple", Newauth realm="apps", type=1, title="Login to \\"apps\\""'), [
    { scheme: 'basic', realm: 'simple' },
    { scheme: 'newauth', realm: 'apps', type: '1', title: 'Login to "apps"' },
  ])
  assert.deepEqual(plain('Negotiate, ,Bearer realm = "x" , scope=y ,, NTLM abc+/=='), [
    { scheme: 'negotiate' },
    { scheme: 'bearer', realm: 'x', scope: 'y' },
    { scheme: 'ntlm', token68: 'abc+/==' },
  ])
  assert.deepEqual(plain(''), [])
})

test('refuses what is malformed', () => {
  for (const text of [
    'Basic realm="open',
    'Basic realm="a" b',
    '"',
    'Basic a=1, a=2',
    'B\u00e9 x=1',
    'a b c',
  ]) {
    assert.throws(() => parseChallenges(text), { code: 'REGISTRY_ANSWER_INVALID' }, text)
  }
})

test('refuses a field beyond the limit', () => {
  const field = (length: number) => `Basic realm="${'x'.repeat(length - 'Basic realm=""'.length)}"`
  assert.equal(parseChallenges(field(limits.challengeBytes)).length, 1)
  assert.throws(() => parseChallenges(field(limits.challengeBytes + 1)), { code: 'REGISTRY_ANSWER_INVALID' })
})

const name = fc.stringMatching(/^[a-z][a-z0-9_-]{0,8}$/)
const challenge: fc.Arbitrary<Challenge> = fc.record(
  {
    scheme: name,
    parameters: fc
      .dictionary(name, fc.stringMatching(/^[\t -~]{0,20}$/), { maxKeys: 4, noNullPrototype: true })
      .map((values) => new Map(Object.entries(values))),
  },
  { noNullPrototype: true },
)

test('what is written by the grammar is read as it was meant', () => {
  fc.assert(
    fc.property(
      fc.array(challenge, { maxLength: 4 }),
      fc.constantFrom(', ', ',', ' ,\t,'),
      (challenges, comma) => {
        const text = challenges
          .map(({ scheme, parameters }) => {
            const list = [...parameters].map(([key, value]) => `${key}="${value.replace(/["\\]/g, '\\$&')}"`)
            return list.length > 0 ? `${scheme} ${list.join(comma)}` : scheme
          })
          .join(comma)
        assert.deepEqual(parseChallenges(text), challenges)
      },
    ),
  )
})

test('nothing but its own failure is thrown, whatever arrives', () => {
  const soup = fc.array(
    fc.constantFrom('a', ' ', ',', '=', '"', '\\', 'Bearer', 'realm', '\t', '/', '\u0000', '\u00ff'),
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        soup.map((parts) => parts.join('')),
      ),
      (text) => {
        try {
          parseChallenges(text)
        } catch (error) {
          assert.equal((error as { code: string }).code, 'REGISTRY_ANSWER_INVALID')
        }
      },
    ),
  )
})
