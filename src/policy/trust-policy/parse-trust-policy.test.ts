import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { type PolicyLimits, policyLimits, SealiftError } from '#base/index.ts'
import { compilePattern } from './compile-rules.ts'
import { parseTrustPolicy } from './parse-trust-policy.ts'
import { starterPolicy } from './starter.ts'

const keys = generateKeyPairSync('ed25519')
const pem = keys.publicKey.export({ type: 'spki', format: 'pem' }).toString()
const secret = keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const files: Record<string, string> = {
  'a.pub': pem,
  'b.pub': pem,
  secret,
  'root.json': '{}',
  'bad.json': '{',
  'x.rego': 'package sealift.trust\n',
}
const readFile = async (path: string) => new TextEncoder().encode(files[path] ?? '')
const parse = (text: string, limits: PolicyLimits = policyLimits) =>
  parseTrustPolicy(text, { path: 'p.yaml', readFile }, limits)

const head = 'apiVersion: sealift.dev/v1\nkind: TrustPolicy\nname: shop\n'
const rule = 'rules: [{ content: "**", unsigned: true }]\n'
const good = head + rule

const refusals: readonly [why: string, text: string, line: number, message: RegExp][] = [
  ['an unknown member', `${good}rulez: []\n`, 5, /\/rulez is not known here/],
  ['another kind', good.replace('TrustPolicy', 'Trust'), 2, /\/kind/],
  ['a key twice', `${good}name: other\n`, 5, /unique/],
  ['two documents', `${good}---\n${good}`, 5, /document/],
  ['a tag', good.replace('shop', '!!binary c2hvcA=='), 3, /./],
  ['no rule', `${head}rules: []\n`, 4, /\/rules/],
  ['a rule that asks for nothing', `${head}rules:\n  - content: "**"\n`, 5, /asks for nothing/],
  [
    'a key that is not there',
    `${head}rules:\n  - content: a/b\n    signatures:\n      - from:\n          - key: x\n`,
    8,
    /not among the keys/,
  ],
  [
    'an identity without a root',
    `${head}rules:\n  - content: a/b\n    signatures:\n      - from:\n          - { identity: x, issuer: y }\n`,
    8,
    /trustedRoots/,
  ],
  [
    'a pattern with ** in the middle',
    good.replace('"**"', 'reg.example/**/web'),
    4,
    /elsewhere than at its end/,
  ],
  ['a pattern with part of a segment', good.replace('"**"', 'reg.example/web*'), 4, /whole segment/],
  ['a pattern with a tag', good.replace('"**"', 'reg.example/web:1'), 4, /HOST\/REPOSITORY/],
  ['a file that is no key', `${head}keys:\n  a: { file: root.json }\n${rule}`, 5, /not a public key/],
  ['a private key', `${head}keys:\n  a: { file: secret }\n${rule}`, 5, /not a public key/],
  [
    'one key by two names',
    `${head}keys:\n  a: { file: a.pub }\n  b: { file: b.pub }\n${rule}`,
    6,
    /the same key as "a"/,
  ],
  [
    'a root that is not JSON',
    `${head}trustedRoots:\n  a: { file: bad.json }\n${rule}`,
    5,
    /not a trusted root/,
  ],
  [
    'a time that is none',
    `${head}keys:\n  a: { file: a.pub, validUntil: tomorrow }\n${rule}`,
    5,
    /validUntil/,
  ],
  ['Rego in our own package', `${head}rego: [x.rego]\n${rule}`, 4, /package sealift\.custom/],
  [
    'an age without a unit',
    `${head}keys: { a: { file: a.pub } }\nrules:\n  - content: a/b\n    signatures: [{ from: [{ key: a }], maxAge: 90 }]\n`,
    7,
    /maxAge/,
  ],
]

for (const [why, text, line, message] of refusals) {
  test(`${why} is refused, with its line`, async () => {
    await assert.rejects(parse(text), (error: SealiftError) => {
      assert.equal(error.code, 'TRUST_POLICY_INVALID')
      assert.match(error.message, message)
      assert.equal(error.detail.line, line, error.message)
      assert.ok(!error.message.includes('PRIVATE'))
      return true
    })
  })
}

test('patterns for identities that cannot be compiled, or would undo their anchors', async () => {
  const withPattern = (pattern: string) =>
    parse(
      `${head}trustedRoots: { a: { file: root.json } }\nrules:\n  - content: a/b\n    signatures: [{ from: [{ identityPattern: ${JSON.stringify(pattern)}, issuer: https://i.example }] }]\n`,
    )
  await withPattern('https://github\\.com/shop/[a-z]+')
  for (const pattern of ['(', 'a)|(b', '((a{1000}){1000}){1000}', '(?=a)', '\\1']) {
    await assert.rejects(withPattern(pattern), { code: 'TRUST_POLICY_INVALID' }, pattern)
  }
})

test('bombs of aliases, depth and size are refused', async () => {
  const bomb = ['a: &a [x, x, x, x, x, x, x, x, x, x]']
  for (const [from, to] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg', 'gh'].map((pair) => [...pair])) {
    bomb.push(`${to}: &${to} [${Array(10).fill(`*${from}`).join(', ')}]`)
  }
  for (const text of [
    bomb.join('\n'),
    `${'['.repeat(5000)}${']'.repeat(5000)}`,
    `a: ${'{b: '.repeat(300)}1${'}'.repeat(300)}`,
  ]) {
    await assert.rejects(parse(text), { code: 'TRUST_POLICY_INVALID' })
  }
  const bytes = Buffer.byteLength(good)
  await parse(good, { ...policyLimits, trustPolicyBytes: bytes })
  await assert.rejects(parse(good, { ...policyLimits, trustPolicyBytes: bytes - 1 }), {
    code: 'TRUST_POLICY_INVALID',
  })
  const two = `${head}rules: [{ content: "**", unsigned: true }, { content: "**", unsigned: true }]\n`
  await parse(two, { ...policyLimits, trustPolicyRules: 2 })
  await assert.rejects(parse(two, { ...policyLimits, trustPolicyRules: 1 }), { code: 'TRUST_POLICY_INVALID' })
})

test('whatever it is given, it gives a policy or a refusal of its own', async () => {
  const [{ text: starter }] = starterPolicy('registry.example/shop/**', pem)
  const parts = [
    ...starter.split(/(?<=\n)/),
    ...refusals.map(([, text]) => text),
    '&a ',
    '*a',
    '? ',
    '- ',
    '"',
    '\u0000',
    '  ',
    '<<: ',
    '\t',
  ]
  const text = fc.oneof(
    fc.string(),
    fc.array(fc.constantFrom(...parts), { maxLength: 60 }).map((some) => some.join('')),
    fc
      .tuple(fc.nat(starter.length), fc.nat(20), fc.constantFrom(...parts))
      .map(([at, cut, put]) => starter.slice(0, at) + put + starter.slice(at + cut)),
  )
  await fc.assert(
    fc.asyncProperty(text, async (input) => {
      try {
        const { policy } = await parse(input)
        assert.match(policy.digest, /^sha256:/)
      } catch (error) {
        assert.ok(error instanceof SealiftError, String(error))
      }
    }),
    { numRuns: 300 },
  )
})

test('patterns match what a walk along their segments matches', () => {
  const segment = fc.constantFrom('a', 'b', 'ab', 'a.b', '*')
  const pattern = fc
    .tuple(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.boolean())
    .map(([parts, open]) => [...parts, ...(open ? ['**'] : [])])
  const name = fc.array(fc.constantFrom('a', 'b', 'ab', 'a.b', 'axb'), { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(pattern, name, (wanted, segments) => {
      const open = wanted.at(-1) === '**'
      const fixed = open ? wanted.slice(0, -1) : wanted
      const expected =
        (open ? segments.length > fixed.length : segments.length === fixed.length) &&
        fixed.every((part, at) => part === '*' || part === segments[at])
      const compiled = compilePattern(wanted.join('/'))
      const text = segments.join('/')
      const matches =
        'exact' in compiled
          ? text === compiled.exact
          : 'prefix' in compiled
            ? text.startsWith(compiled.prefix)
            : new RegExp(compiled.regex).test(text)
      assert.equal(matches, expected, `${wanted.join('/')} ${text}`)
    }),
  )
})
