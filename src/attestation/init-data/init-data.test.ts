import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { attestationLimits, isFailure, type Json } from '#base/index.ts'
import { parseInitData } from './parse-init-data.ts'
import { parseToml } from './toml.ts'
import { NotToml } from './toml-reader.ts'

const toml = (text: string) => parseToml(text, 32)
const refused = (error: unknown) => isFailure(error, 'INIT_DATA_INVALID')
const parse = (body: string) => parseInitData({ format: 'toml', body })

test('TOML is read as JSON', () => {
  const read = toml(`# comment
a = 1 # one
"b c".d = 'l\\n'
b.e = "x\\ty\\u00e9\\U0001F600\\\\\\""
empty."" = ""
numbers = [+1, -0, 1_000, 0xff, 0o17, 0b11, 1.5, 6e2,
  -2.5E-1, # within
]
yes = true
inline = { x = 1, y.z = [ {}, [] ] }
text = """
one\\
   \\
   two "quoted" ""
three"""""
raw = '''
C:\\''x'''
[t.u]
v = false
[[list]]
n = 1
[list.sub]
m = 2
[[list]]
[t]
w = 2\r
`)
  assert.deepEqual(read, {
    a: 1,
    'b c': { d: 'l\\n' },
    b: { e: 'x\ty\u00e9\u{1f600}\\"' },
    empty: { '': '' },
    numbers: [1, 0, 1000, 255, 15, 3, 1.5, 600, -0.25],
    yes: true,
    inline: { x: 1, y: { z: [{}, []] } },
    text: 'onetwo "quoted" ""\nthree""',
    raw: "C:\\''x",
    t: { u: { v: false }, w: 2 },
    list: [{ n: 1, sub: { m: 2 } }, {}],
  })
})

test('what is no TOML, or no JSON, is refused', () => {
  for (const text of [
    'a',
    '= 1',
    'a =',
    'a = 1 b = 2',
    'a = 1\na = 2',
    'a.b = 1\na = 2',
    'a = 1\na.b = 2',
    '[a]\n[a]',
    '[a]\nb.c = 1\n[a.b]',
    '[a.b]\n[a]\nb.c = 1',
    'a = {}\n[a.b]',
    'a = {}\na.b = 1',
    'a = []\n[[a]]',
    '[[a]]\n[a]',
    '[a]\n[[a]]',
    'a = { b = 1, }',
    'a = { b = 1\n}',
    'a = { b = 1, b = 2 }',
    'a = [1',
    'a = [1 2]',
    'a = "x',
    'a = "x\ny"',
    "a = 'x\ny'",
    'a = """x',
    "a = '''x",
    'a = "\\x"',
    'a = "\\ud800"',
    'a = "\\U00110000"',
    'a = \u0001',
    '# \u0000',
    'a = "\ud800"',
    'a = 01',
    'a = 1__0',
    'a = _1',
    'a = 1.',
    'a = .5',
    'a = 0xg',
    'a = +0x1',
    'a = inf',
    'a = nan',
    'a = 1e999',
    'a = 9007199254740993',
    'a = 1979-05-27',
    'a = 07:32:00',
    'a = True',
    '[a',
    '[a]]',
    '[]',
    '[a.]',
    '[[a]',
    '__proto__ = 1',
    '"__proto__".a = 1',
    '[__proto__]',
    'a = { __proto__ = 1 }',
  ]) {
    assert.throws(() => toml(text), NotToml, text)
  }
})

test('nesting stands at the limit and falls one beyond', () => {
  const list = (depth: number) => `a = ${'['.repeat(depth)}${']'.repeat(depth)}`
  parseToml(list(4), 4)
  assert.throws(() => parseToml(list(5), 4), NotToml)
  assert.throws(() => parseToml(list(100_000), 32), NotToml)
  parseToml('[a.b.c.d]', 4)
  assert.throws(() => parseToml('[a.b.c.d.e]', 4), NotToml)
  assert.throws(() => parseToml(`a = ${'{a='.repeat(50)}1${'}'.repeat(50)}`, 32), NotToml)
})

test('JSON text in TOML is the same value', () => {
  const value = fc.oneof(
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.string({ unit: 'grapheme' }).filter((text) => text.isWellFormed()),
  )
  const clean = fc.dictionary(fc.string(), value).filter((object) => !Object.hasOwn(object, '__proto__'))
  const quoted = (text: string) => JSON.stringify(text).replaceAll('\u007f', '\\u007f')
  fc.assert(
    fc.property(clean, (object) => {
      const lines = Object.entries(object).map(
        ([key, item]) => `${quoted(key)} = ${typeof item === 'string' ? quoted(item) : item}`,
      )
      assert.deepEqual(toml(lines.join('\n')), JSON.parse(JSON.stringify(object)))
    }),
    { numRuns: 200 },
  )
})

test('no text makes the reader do anything but answer or refuse', () => {
  const piece = fc.oneof(
    fc.constantFrom(
      '[',
      ']',
      '{',
      '}',
      '=',
      '.',
      ',',
      '"',
      "'",
      '"""',
      "'''",
      '\\',
      '\n',
      '#',
      ' ',
      'a',
      '1',
      '_',
    ),
    fc.string({ maxLength: 3 }),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      try {
        toml(pieces.join(''))
      } catch (error) {
        assert.ok(error instanceof NotToml, String(error))
      }
    }),
    { numRuns: 1000 },
  )
})

test('long texts are read in time that grows with them', () => {
  const long = `a = """${'"" \\\\ '.repeat(100_000)}"""\n${'#'.repeat(100_000)}\n${' '.repeat(100_000)}b = 1`
  assert.equal(toml(long).b, 1)
})

const body = (data: string, algorithm = 'sha384') =>
  `version = "0.1.0"\nalgorithm = "${algorithm}"\n[data]\n${data}`

test('init-data has the digest that it names, and claims as Trustee tells them', () => {
  const text = body(`"aa.toml" = '''
[token_configs.kbs]
url = "http://127.0.0.1"
'''
"cdh.toml" = "not TOML"
"other.toml" = "a = 1"
"policy.rego" = '''
package agent_policy
policy_data := {"containers": [{"OCI": {}}]}
'''
`)
  const { digest, claims } = parse(text)
  assert.deepEqual(digest, createHash('sha384').update(text).digest())
  assert.deepEqual(claims, {
    'aa.toml': { token_configs: { kbs: { url: 'http://127.0.0.1' } } },
    'cdh.toml': 'not TOML',
    'other.toml': 'a = 1',
    agent_policy_claims: { containers: [{ OCI: {} }] },
  })
  const rego = parse(body('"policy.rego" = "package p"')).claims as Record<string, Json>
  assert.deepEqual(rego, { 'policy.rego': 'package p' })
  const broken = parse(body(`"policy.rego" = 'policy_data := {"a":1,"a":2}'`)).claims as Record<string, Json>
  assert.ok('policy.rego' in broken)
})

test('init-data of another form is refused', () => {
  for (const bad of [
    '',
    'x',
    body('', 'sm3'),
    body('', 'md5'),
    body('', 'toString'),
    body('a = 1'),
    'algorithm = "sha256"\n[data]',
    'version = "0.1.0"\nalgorithm = "sha256"',
    'version = "0.1.0"\nalgorithm = "sha256"\ndata = []',
  ]) {
    assert.throws(() => parse(bad), refused, bad)
  }
  const text = body('')
  const limits = { ...attestationLimits, initDataLength: text.length }
  parseInitData({ format: 'toml', body: text }, limits)
  assert.throws(() => parseInitData({ format: 'toml', body: `${text}\n` }, limits), refused)
})

const folder = join(import.meta.dirname, '../../../../shared/vectors/confidential')
const skip = existsSync(folder) ? false : 'NOT TESTED: the shared vectors are not here'

test('init-data from the documents of others', { skip }, () => {
  const whole = readFileSync(join(folder, 'cloud-api-adaptor/initdata/decoded.toml'), 'utf8')
  const shown = readFileSync(join(folder, 'cloud-api-adaptor/initdata/doc-toml-no-newline.toml'), 'utf8')
  const hex = (text: string) => Buffer.from(parse(text).digest).toString('hex')
  assert.match(hex(whole), /^4bebff2869bcdd3e/)
  assert.match(hex(shown), /^52af3178dd7ad4bf/)
  const { 'aa.toml': agent } = parse(whole).claims as { 'aa.toml': { token_configs: { coco_as: Json } } }
  assert.deepEqual(agent.token_configs.coco_as, { url: 'http://127.0.0.1:8080' })
  const kata = readFileSync(join(folder, 'trustee/initdata/init-data-with-policy.toml'), 'utf8')
  const claims = parse(kata).claims as { agent_policy_claims: { containers: Json[] } }
  assert.ok(claims.agent_policy_claims.containers.length > 1)
})
