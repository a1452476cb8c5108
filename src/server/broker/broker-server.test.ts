import assert from 'node:assert/strict'
import { test } from 'node:test'
import { send, startTest } from './broker.suite.ts'

const session = '7a0a8b439c1643b09823ed71201526ef'

test('a guest is answered with the bytes that Trustee sends', async () => {
  await using at = await startTest()
  at.face.reply = {
    body: Buffer.from('{"nonce":"x"}'),
    noStore: true,
    cookie: { value: session, expires: new Date('2026-11-21T01:52:34.567Z') },
  }
  const reply = await send(`${at.guestUrl}/kbs/v0/auth`, { method: 'POST' }, '{"version":"0.4.0"}')
  assert.equal(reply.status, 200)
  assert.equal(reply.text, '{"nonce":"x"}')
  assert.deepEqual(reply.rawHeaders.slice(0, 8), [
    'content-length',
    '13',
    'content-type',
    'application/json',
    'set-cookie',
    `kbs-session-id=${session}; Expires=Sat, 21 Nov 2026 01:52:34 GMT`,
    'cache-control',
    'no-store',
  ])
  const [asked] = at.face.guests
  assert.deepEqual(
    { ...asked, body: Buffer.from(asked!.body).toString(), query: { ...asked!.query } },
    {
      method: 'POST',
      path: ['auth'],
      query: {},
      body: '{"version":"0.4.0"}',
    },
  )
})
