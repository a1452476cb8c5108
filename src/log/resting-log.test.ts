import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { isFailure } from '#base/index.ts'
import { noteSigner } from './note-key.ts'
import { openLog } from './open-log.ts'
import { verifyConsistency } from './proof.ts'

const folder = mkdtempSync(join(tmpdir(), 'sealift-resting-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const origin = 'log.example/rests'
const signer = noteSigner(origin, generateKeyPairSync('ed25519').privateKey)
const open = (name: string) => openLog({ directory: join(folder, name), origin, signer, waitMs: 2000 })
const failsWith = (code: string) => (error: unknown) => isFailure(error, code)
const entry = (text: string) => Buffer.from(text)

describe('a log that is left to others for a while', () => {
  test('goes on where it was, or after what others have appended', async () => {
    await using one = await open('turns')
    await one.append(entry('0'))
    await one.rest()
    await using two = await open('turns')
    await two.rest()
    const first = await one.checkpoint()
    let at = 1
    // Over a full bundle, and with turns in which nobody else came.
    for (const [log, count] of [
      [one, 3],
      [one, 250],
      [two, 300],
      [two, 1],
      [one, 5],
      [two, 600],
      [one, 1],
    ] as const) {
      await log.take()
      const appended = await Promise.all(Array.from({ length: count }, () => log.append(entry(`${at++}`))))
      assert.equal(appended.at(-1)?.index, at - 1)
      await log.rest()
    }
    await one.take()
    const last = await one.checkpoint()
    verifyConsistency(first, last, await one.consistencyProof(first.size, last.size))
    const texts = await Array.fromAsync(one.entries(0), ({ bytes }) => Buffer.from(bytes).toString())
    assert.deepEqual(
      texts,
      Array.from({ length: at }, (_, index) => `${index}`),
    )
  })

  test('takes nothing while it rests, and lets others in until it is taken', async () => {
    const one = await open('closed')
    await one.append(entry('a'))
    const waiting = one.append(entry('b'))
    await one.rest()
    await one.rest()
    assert.equal((await waiting).index, 1)
    await assert.rejects(one.append(entry('c')), failsWith('LOG_CLOSED'))
    const two = await open('closed')
    await assert.rejects(one.take(), failsWith('LOG_BUSY'))
    await two[Symbol.asyncDispose]()
    await one.take()
    await one.take()
    assert.equal((await one.append(entry('c'))).index, 2)
    await one[Symbol.asyncDispose]()
    await assert.rejects(one.append(entry('d')), failsWith('LOG_CLOSED'))
    assert.deepEqual(
      readdirSync(join(folder, 'closed')).filter((name) => name.startsWith('lock')),
      [],
    )
  })

  test('is not taken where it was set back or written anew meanwhile, however often that is tried', async () => {
    const one = await open('back')
    await one.append(entry('a'))
    await one.rest()
    cpSync(join(folder, 'back'), join(folder, 'copy'), { recursive: true })
    await one.take()
    await one.append(entry('b'))
    await one.rest()
    rmSync(join(folder, 'back'), { recursive: true })
    cpSync(join(folder, 'copy'), join(folder, 'back'), { recursive: true })
    for (let time = 0; time < 2; time++) await assert.rejects(one.take(), failsWith('LOG_ROLLED_BACK'))
    // Another history of the same length.
    const two = await open('back')
    await two.append(entry('x'))
    await two[Symbol.asyncDispose]()
    for (let time = 0; time < 2; time++) await assert.rejects(one.take(), failsWith('LOG_FORKED'))
    await assert.rejects(one.append(entry('c')), failsWith('LOG_CLOSED'))
    await one[Symbol.asyncDispose]()
  })
})
