import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { SealiftError } from '#base/index.ts'
import {
  formatPem,
  generateKeyPair,
  isKeyFile,
  keyAlgorithms,
  openKeyFile,
  parsePublicKey,
  publicKeyOf,
  publicKeyPem,
  sealKeyFile,
} from './index.ts'
import { parsePem } from './pem.ts'

const label = 'ENCRYPTED SIGSTORE PRIVATE KEY'

/** A key file whose JSON has another value at a path; undefined takes the member out. */
function changed(text: string, path: string, value: unknown): string {
  const body = JSON.parse(Buffer.from(parsePem(text)[0]!.bytes).toString())
  const names = path.split('.')
  const last = names.pop()!
  names.reduce((at, name) => at[name], body)[last] = value
  return formatPem(label, Buffer.from(JSON.stringify(body)))
}

test('what is sealed opens with its password, and with no other', async () => {
  for (const algorithm of keyAlgorithms) {
    const { privateKey, publicKey } = await generateKeyPair(algorithm, 2048)
    const text = await sealKeyFile(privateKey, 'pass wörd')
    assert.match(text, /^-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n/)
    assert.ok(isKeyFile(text))
    assert.equal(publicKeyOf(await openKeyFile(text, 'pass wörd')).id, publicKey.id)
    assert.equal(publicKeyOf(await openKeyFile(text, Buffer.from('pass wörd'))).id, publicKey.id)
    await assert.rejects(openKeyFile(text, 'pass word'), { code: 'KEY_PASSWORD_WRONG' })
  }
})

test('an empty password is one too; two files of one key have nothing in common', async () => {
  const { privateKey, publicKey } = await generateKeyPair('ed25519')
  const [one, two] = [await sealKeyFile(privateKey, ''), await sealKeyFile(privateKey, '')]
  assert.equal(publicKeyOf(await openKeyFile(one, '')).id, publicKey.id)
  await assert.rejects(openKeyFile(one, ' '), { code: 'KEY_PASSWORD_WRONG' })
  const body = (text: string) => JSON.parse(Buffer.from(parsePem(text)[0]!.bytes).toString())
  assert.notEqual(body(one).kdf.salt, body(two).kdf.salt)
  assert.notEqual(body(one).cipher.nonce, body(two).cipher.nonce)
})

test('hostile and malformed files are refused before any work is done', async () => {
  const { privateKey } = await generateKeyPair('ed25519')
  const good = await sealKeyFile(privateKey, 'x')
  const change = (path: string, value: unknown) => changed(good, path, value)
  const lax = JSON.parse(Buffer.from(parsePem(good)[0]!.bytes).toString()).ciphertext.replace(/=*$/, '!')
  const bad: Record<string, string> = {
    'N that takes all memory': change('kdf.params.N', 2 ** 30),
    'N one step up': change('kdf.params.N', 262_144),
    'N that is cheap': change('kdf.params.N', 16_384),
    'N as text': change('kdf.params.N', '32768'),
    'N as a fraction': change('kdf.params.N', 32_768.5),
    r: change('kdf.params.r', 16),
    p: change('kdf.params.p', 1_000_000),
    'another kdf': change('kdf.name', 'pbkdf2'),
    'another cipher': change('cipher.name', 'none'),
    'an unknown member': change('extra', 1),
    'a missing member': change('cipher', undefined),
    'a short nonce': change('cipher.nonce', 'AAAA'),
    'no salt': change('kdf.salt', ''),
    'a lax base64': change('ciphertext', lax),
    'no ciphertext': change('ciphertext', ''),
    'not an object': change('kdf', []),
    null: formatPem(label, Buffer.from('null')),
    'the same key twice': formatPem(
      label,
      Buffer.from(Buffer.from(parsePem(good)[0]!.bytes).toString().replace('{', '{"ciphertext":"",')),
    ),
    'not JSON': formatPem(label, Buffer.from('key')),
    'another label': good.replaceAll('SIGSTORE', 'OTHER'),
    'two blocks': good + good,
    nothing: '',
    'too large': good + ' '.repeat(64 * 1024 - good.length + 1),
  }
  for (const [what, text] of Object.entries(bad)) {
    await assert.rejects(openKeyFile(text, 'x'), { code: 'KEY_FILE_INVALID' }, what)
  }
  assert.ok(await openKeyFile(good + ' '.repeat(64 * 1024 - good.length), 'x'))
})

test('a damaged ciphertext looks like a wrong password', async () => {
  const { privateKey } = await generateKeyPair('ed25519')
  const good = await sealKeyFile(privateKey, 'x')
  const bytes = Buffer.from(JSON.parse(Buffer.from(parsePem(good)[0]!.bytes).toString()).ciphertext, 'base64')
  bytes[20]! ^= 1
  const text = changed(good, 'ciphertext', bytes.toString('base64'))
  await assert.rejects(openKeyFile(text, 'x'), { code: 'KEY_PASSWORD_WRONG' })
})

test('any text instead of a file is refused with a code', async () => {
  const inner = fc.oneof(fc.json(), fc.string())
  await fc.assert(
    fc.asyncProperty(inner, async (text) => {
      for (const file of [text, formatPem(label, Buffer.from(text))]) {
        await assert.rejects(openKeyFile(file, ''), (error) => {
          return error instanceof SealiftError && error.code === 'KEY_FILE_INVALID'
        })
      }
    }),
  )
})

const vectors = new URL('../../../shared/vectors/sigstore/', import.meta.url)
const skip = existsSync(vectors) ? false : 'the shared vectors are not here'

test("cosign's own key files open; one that holds SEC 1 is refused", { skip }, async () => {
  const { password, keys } = JSON.parse(readFileSync(new URL('cosign/encrypted-keys.json', vectors), 'utf8'))
  for (const at of [0, 2]) {
    assert.equal(publicKeyOf(await openKeyFile(keys[at], password)).algorithm, 'ecdsa-p256')
    await assert.rejects(openKeyFile(keys[at], `${password} `), { code: 'KEY_PASSWORD_WRONG' })
  }
  await assert.rejects(openKeyFile(keys[1], password), { code: 'KEY_FILE_INVALID', message: /PKCS #8/ })
})

test('public keys of other projects are read', { skip }, () => {
  const names = ['alice', 'bob', 'charlie', 'default'].map(
    (name) => `connaisseur/test/testdata/cosign/${name}.key`,
  )
  for (const name of [...names, 'policy-controller/examples/keys/cosign.pub']) {
    const pem = readFileSync(new URL(name, vectors), 'utf8')
    assert.equal(publicKeyPem(parsePublicKey(pem)).trim(), pem.trim(), name)
  }
})
