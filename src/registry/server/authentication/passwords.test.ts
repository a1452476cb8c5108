import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hashSync } from 'bcryptjs'
import fc from 'fast-check'
import { parseBasic } from './basic-credentials.ts'
import { type PasswordComparer, threadComparer } from './compare-password.ts'
import { parsePasswordFile } from './password-file.ts'
import { Passwords } from './passwords.ts'

const hash = hashSync('right', 4)
const parse = (text: string) => parsePasswordFile(Buffer.from(text), 12)
const basic = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`

/** Counts the comparisons, and does them at once. */
function counting(): PasswordComparer & { readonly asked: string[] } {
  const asked: string[] = []
  return {
    asked,
    compare: async (password, against) => {
      asked.push(against)
      return against === hash && password === 'right'
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
}

test('password files: bcrypt alone, each user once, costs within bounds, and no hash in any message', () => {
  const file = parse(`# comment\n\nada:${hash}\r\nbob:${hash.replace('$2b$', '$2y$')}\n`)
  assert.deepEqual([...file.hashes.keys()], ['ada', 'bob'])
  for (const line of [
    'ada',
    'ada:plain',
    'ada:$apr1$x$y',
    'ada:{SHA}x',
    `:${hash}`,
    `ada:${hash}x`,
    `ada:${hash}\nada:${hash}`,
    `ada:${hash.replace('$04$', '$13$')}`,
    `ada:${hash.replace('$04$', '$03$')}`,
  ]) {
    assert.throws(
      () => parse(line),
      (error: Error & { code: string }) => error.code === 'HTPASSWD_INVALID' && !error.message.includes('$2'),
      line,
    )
  }
  assert.equal(parse(`ada:${hash.replace('$04$', '$12$')}`).decoy.slice(0, 7), '$2b$12$')
})

test('credentials are read as they were written, and nothing else is taken for some', () => {
  const user = fc.string({ minLength: 1 }).filter((text) => !/[:\0]/.test(text) && text.isWellFormed())
  const password = fc.string().filter((text) => !text.includes('\0') && text.isWellFormed())
  fc.assert(
    fc.property(user, password, (name, secret) => {
      assert.deepEqual(parseBasic(basic(name, secret)), { user: name, password: secret })
    }),
  )
  for (const header of [
    '',
    'Basic',
    'Basic !',
    'Bearer abc',
    `Basic ${btoa('nocolon')}`,
    `Basic ${btoa(':x')}`,
  ]) {
    assert.equal(parseBasic(header), undefined, header)
  }
})

test('a right password is compared once, a wrong one each time, an unknown user as often', async () => {
  const comparer = counting()
  let file = parse(`ada:${hash}`)
  const passwords = new Passwords({ file: () => file, comparer, maxWaiting: 2, remembered: 10 })
  const asks = async (user: string, password: string) => {
    const before = comparer.asked.length
    const name = await passwords.authenticate(basic(user, password))
    return [name, comparer.asked.length - before]
  }
  assert.deepEqual(await asks('ada', 'right'), ['ada', 1])
  assert.deepEqual(await asks('ada', 'right'), ['ada', 0])
  assert.deepEqual(await asks('ada', 'wrong'), [undefined, 1])
  assert.deepEqual(await asks('eve', 'right'), [undefined, 1])
  assert.equal(comparer.asked.at(-1), file.decoy)
  assert.deepEqual(await asks('ada', 'right'), ['ada', 0])
  file = parse(`ada:${hashSync('new', 4)}`)
  assert.deepEqual(await asks('ada', 'right'), [undefined, 1], 'a changed file forgets')
})

test('the same question at once is one comparison; too many questions are told to come back', async () => {
  const gate = Promise.withResolvers<boolean>()
  const comparer: PasswordComparer = {
    compare: () => gate.promise,
    [Symbol.asyncDispose]: async () => undefined,
  }
  const file = parse(`ada:${hash}`)
  const passwords = new Passwords({ file: () => file, comparer, maxWaiting: 2, remembered: 10 })
  const waiting = ['a', 'a', 'b', 'b'].map((secret) => passwords.authenticate(basic('ada', secret)))
  await assert.rejects(passwords.authenticate(basic('ada', 'c')), { status: 429, code: 'TOOMANYREQUESTS' })
  gate.resolve(false)
  assert.deepEqual(await Promise.all(waiting), [undefined, undefined, undefined, undefined])
})

test('the thread compares', async () => {
  await using comparer = threadComparer()
  assert.deepEqual(
    await Promise.all(['right', 'wrong', ''].map((password) => comparer.compare(password, hash))),
    [true, false, false],
  )
  assert.equal(await comparer.compare('right', parse('').decoy), false)
  assert.equal(await comparer.compare('right', 'not a hash'), false)
})
