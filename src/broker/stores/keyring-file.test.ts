import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { isFailure, type Json } from '#base/index.ts'
import { newKeyring, rotateKeyring } from './keyring.ts'
import { formatKeyring, type KeyringSecret, parseKeyring } from './keyring-file.ts'

const failsWith = (code: string) => (error: unknown) => isFailure(error, code)
const password = (text: string): KeyringSecret => ({ kind: 'password', password: Buffer.from(text) })
const keyFile: KeyringSecret = { kind: 'key-file', bytes: randomBytes(32) }
const ring = rotateKeyring(newKeyring())
const cheap = 32_768
const exported = (keyring: typeof ring) =>
  [...keyring.keys].map(([id, key]) => [id, key.export().toString('hex')])

test('a keyring comes back from its file, by its password or its key file and by no other', async () => {
  const byPassword = await formatKeyring(ring, password('open'), cheap)
  const byFile = await formatKeyring(ring, keyFile)
  for (const [file, secret] of [
    [byPassword, password('open')],
    [byFile, keyFile],
  ] as const) {
    const back = await parseKeyring(file, secret)
    assert.equal(back.activeId, ring.activeId)
    assert.deepEqual(exported(back), exported(ring))
    for (const master of ring.keys.values()) {
      assert.ok(!Buffer.from(file).includes(master.export().toString('base64')))
    }
  }
  await assert.rejects(parseKeyring(byPassword, password('Open')), failsWith('KEYRING_LOCKED'))
  await assert.rejects(parseKeyring(byPassword, keyFile), failsWith('KEYRING_LOCKED'))
  await assert.rejects(parseKeyring(byFile, password('open')), failsWith('KEYRING_LOCKED'))
  const other: KeyringSecret = { kind: 'key-file', bytes: randomBytes(32) }
  await assert.rejects(parseKeyring(byFile, other), failsWith('KEYRING_LOCKED'))
})

test('a secret that is none is refused', async () => {
  await assert.rejects(formatKeyring(ring, password('')), failsWith('KEYRING_INVALID'))
  for (const size of [0, 31, 64 * 1024 + 1]) {
    const secret: KeyringSecret = { kind: 'key-file', bytes: new Uint8Array(size) }
    await assert.rejects(formatKeyring(ring, secret), failsWith('KEYRING_INVALID'))
  }
  for (const size of [32, 64 * 1024]) {
    assert.ok(await formatKeyring(ring, { kind: 'key-file', bytes: randomBytes(size) }))
  }
})

test('every member of the file is held: none can be changed, left out or added', async () => {
  const file = JSON.parse(Buffer.from(await formatKeyring(ring, keyFile)).toString())
  const parse = (value: unknown) => parseKeyring(Buffer.from(JSON.stringify(value)), keyFile)
  await parse(file)
  const wrong: Json[] = [
    { ...file, more: 1 },
    { ...file, format: 'sealift-keyring/2' },
    { ...file, cipher: 'aes-128-gcm' },
    { ...file, nonce: 'AAAA' },
    { ...file, ciphertext: '' },
    { ...file, ciphertext: 'A' },
    { ...file, ciphertext: `${file.ciphertext}\n` },
    { ...file, kdf: { ...file.kdf, salt: 'AAAA' } },
    { ...file, kdf: { name: 'none', salt: file.kdf.salt } },
    { ...file, kdf: { name: 'scrypt', cost: 1, salt: file.kdf.salt } },
    { ...file, kdf: { name: 'scrypt', cost: 2 ** 30, salt: file.kdf.salt } },
    [],
    null,
    'x',
  ]
  for (const value of wrong) await assert.rejects(parse(value), failsWith('KEYRING_INVALID'), inspect(value))
  for (const member of Object.keys(file)) {
    const { [member]: _, ...rest } = file
    await assert.rejects(parse(rest), failsWith('KEYRING_INVALID'), member)
  }
  const flipped = (text: string) => (text[0] === 'A' ? 'B' : 'A') + text.slice(1)
  for (const value of [
    { ...file, nonce: flipped(file.nonce) },
    { ...file, ciphertext: flipped(file.ciphertext) },
    { ...file, kdf: { ...file.kdf, salt: flipped(file.kdf.salt) } },
  ]) {
    await assert.rejects(parse(value), failsWith('KEYRING_LOCKED'))
  }
})

test('any bytes and any JSON are refused, quickly and with the one code', async () => {
  const refused = async (bytes: Uint8Array) =>
    assert.rejects(parseKeyring(bytes, keyFile), failsWith('KEYRING_INVALID'))
  await fc.assert(fc.asyncProperty(fc.uint8Array(), refused))
  await fc.assert(fc.asyncProperty(fc.json(), (text) => refused(Buffer.from(text))))
})

test('a file or a keyring at the limit is taken, and one beyond is refused', async () => {
  const file = await formatKeyring(ring, keyFile)
  const size = { keyringBytes: file.length, masterKeys: ring.keys.size }
  await parseKeyring(file, keyFile, size)
  for (const less of [{ keyringBytes: file.length - 1 }, { masterKeys: ring.keys.size - 1 }]) {
    await assert.rejects(parseKeyring(file, keyFile, { ...size, ...less }), failsWith('KEYRING_INVALID'))
  }
  assert.throws(() => rotateKeyring(ring, 2), failsWith('KEYRING_INVALID'))
  assert.equal(rotateKeyring(ring, 3).keys.size, 3)
})
