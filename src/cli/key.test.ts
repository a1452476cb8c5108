import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import {
  generateKeyPair,
  keyAlgorithms,
  keyVerifier,
  openKeyFile,
  parsePublicKey,
  publicKeyOf,
} from '#keys/index.ts'
import { type RunOptions, runHere } from './cli.suite.ts'
import { keyTypes } from './commands/key-generate.ts'
import { openSigner } from './open-signer.ts'
import { outputSchemas } from './output-schemas.suite.ts'

let cwd = ''
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'sealift-key-'))
})
afterEach(() => rmSync(cwd, { recursive: true }))

const at = (name: string) => join(cwd, name)
const read = (name: string) => readFileSync(at(name), 'utf8')
const run = (args: readonly string[], options: Partial<RunOptions> = {}) => runHere(args, { cwd, ...options })
const secret = { env: { SEALIFT_PASSWORD: 'a secret' } }

async function json(command: 'key generate' | 'key import' | 'key show', ...args: string[]) {
  const ran = await run([...command.split(' '), ...args, '-o', 'json'], secret)
  assert.equal(ran.exitCode, 0, ran.stderr)
  const value = JSON.parse(ran.stdout)
  assert.deepEqual([...Value.Errors(outputSchemas[command] as unknown as TSchema, value)], [])
  assert.ok(!`${ran.stdout}${ran.stderr}`.includes('a secret'))
  return value
}

/** A terminal at which these are typed, one after the other, and what it asked. */
function typing(...answers: string[]) {
  const questions: string[] = []
  const askHidden = async (question: string) => {
    questions.push(question)
    return answers.shift()
  }
  return { questions, askHidden }
}

test('the types that are offered are those there are', () => {
  assert.deepEqual([...keyTypes], [...keyAlgorithms])
})

test('generate makes a pair that show tells the same of; the private key is for its owner alone', async () => {
  for (const type of keyTypes) {
    const made = await json('key generate', '--type', type, '--out', type)
    assert.equal(made.algorithm, type)
    assert.equal(statSync(at(`${type}.key`)).mode & 0o777, 0o600)
    assert.equal(parsePublicKey(read(`${type}.pub`)).id, made.id)
    assert.equal(publicKeyOf(await openKeyFile(read(`${type}.key`), 'a secret')).id, made.id)
    const [shown, opened] = [await json('key show', `${type}.pub`), await json('key show', `${type}.key`)]
    assert.deepEqual({ ...opened, kind: 'public', file: `${type}.pub` }, shown)
    assert.equal(shown.pem, read(`${type}.pub`))
    assert.equal(shown.id, made.id)
  }
  assert.deepEqual(
    readdirSync(cwd).filter((name) => name.includes('partial')),
    [],
  )
})

test('nothing is ever overwritten, and where one name is taken nothing is written', async () => {
  writeFileSync(at('sealift.pub'), 'mine')
  const ran = await run(['key', 'generate'], secret)
  assert.match(ran.stderr, /FILE_EXISTS/)
  assert.equal(ran.exitCode, 1)
  assert.equal(read('sealift.pub'), 'mine')
  assert.ok(!readdirSync(cwd).includes('sealift.key'))
})

test('a password comes from the terminal, where it is asked for twice', async () => {
  const terminal = typing('typed', 'typed')
  assert.equal((await run(['key', 'generate', '--out', 'a'], terminal)).exitCode, 0)
  assert.deepEqual(terminal.questions, ['New password of a.key: ', 'The same again: '])
  assert.ok(await openKeyFile(read('a.key'), 'typed'))
  const differing = await run(['key', 'generate', '--out', 'b'], typing('typed', 'typo'))
  assert.match(differing.stderr, /PASSWORD_INVALID/)
  assert.equal(differing.exitCode, 2)
  const nobody = await run(['key', 'generate', '--out', 'b'])
  assert.match(nobody.stderr, /PASSWORD_MISSING/)
  assert.equal(nobody.exitCode, 2)
  assert.deepEqual(readdirSync(cwd).sort(), ['a.key', 'a.pub'])
  const wrong = await run(['key', 'show', 'a.key'], typing('wrong'))
  assert.match(wrong.stderr, /KEY_PASSWORD_WRONG/)
  assert.equal(wrong.exitCode, 4)
})

test('or from a file or a variable; a flag wins over the usual variables', async () => {
  writeFileSync(at('password'), 'in a file\n')
  const env = { SEALIFT_PASSWORD: 'ours', COSIGN_PASSWORD: 'theirs', MINE: 'my own' }
  const generate = async (out: string, options: Partial<RunOptions>, ...flags: string[]) =>
    assert.equal((await run(['key', 'generate', '--out', out, ...flags], options)).exitCode, 0)
  await generate('file', { env }, '--password-file', 'password')
  await generate('named', { env }, '--password-env', 'MINE')
  await generate('ours', { env })
  await generate('theirs', { env: { COSIGN_PASSWORD: 'theirs' } })
  await generate('empty', { env: { COSIGN_PASSWORD: '' } })
  const passwords = { file: 'in a file', named: 'my own', ours: 'ours', theirs: 'theirs', empty: '' }
  for (const [name, password] of Object.entries(passwords)) {
    assert.ok(await openKeyFile(read(`${name}.key`), password), name)
  }
  const both = await run(['key', 'generate', '--password-file', 'password', '--password-env', 'MINE'])
  assert.equal(both.exitCode, 2)
  assert.equal((await run(['key', 'generate', '--password-env', 'NONE'])).exitCode, 2)
  assert.equal((await run(['key', 'generate', '--password-file', 'none'])).exitCode, 3)
  writeFileSync(at('password'), 'x'.repeat(4097))
  assert.match((await run(['key', 'generate', '--password-file', 'password'])).stderr, /PASSWORD_INVALID/)
})

test('import encrypts a plain key, and gives an encrypted one another password', async () => {
  const { privateKey, publicKey } = await generateKeyPair('ecdsa-p256')
  writeFileSync(at('plain.pem'), privateKey.export({ type: 'sec1', format: 'pem' }))
  assert.equal((await json('key import', 'plain.pem', '--out', 'one')).id, publicKey.id)
  writeFileSync(at('old'), 'a secret')
  const env = { SEALIFT_PASSWORD: 'a new secret' }
  const again = await run(['key', 'import', 'one.key', '--old-password-file', 'old', '--out', 'two'], { env })
  assert.equal(again.exitCode, 0, again.stderr)
  assert.equal(publicKeyOf(await openKeyFile(read('two.key'), 'a new secret')).id, publicKey.id)
  const none = await run(['key', 'import', 'one.key', '--out', 'three'], { env })
  assert.match(none.stderr, /PASSWORD_MISSING/, 'the new password is not tried as the old one')
  assert.equal((await run(['key', 'import', 'one.pub', '--out', 'three'], { env })).exitCode, 1)
})

test('openSigner signs with an encrypted key, and sends a plain one to import', async () => {
  const { id } = await json('key generate', '--type', 'ed25519')
  const context = {
    process: { stdout: { write: () => undefined }, stderr: { write: () => undefined } },
    env: secret.env,
    cwd,
    signal: new AbortController().signal,
  }
  const message = Buffer.from('x')
  const { bytes, key } = await (await openSigner(context, 'sealift.key', {})).sign(message)
  assert.equal(key.id, id)
  await keyVerifier(key).verify(message, bytes)
  await assert.rejects(openSigner(context, 'sealift.pub', {}), { code: 'USAGE' })
  await assert.rejects(openSigner(context, 'none', {}), { code: 'FILE_SYSTEM' })
})

test('what is too large for a key is not read', async () => {
  writeFileSync(at('large'), ' '.repeat(64 * 1024 + 1))
  assert.match((await run(['key', 'show', 'large'])).stderr, /LOCATION_INVALID/)
})
