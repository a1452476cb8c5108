import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Remembered } from './remembered.ts'

function counting() {
  let now = 0
  let loads = 0
  const waiting: (() => void)[] = []
  const load = () =>
    new Promise<number>((resolve) => {
      const number = ++loads
      waiting.push(() => resolve(number))
    })
  const remembered = new Remembered(load, 10, () => now)
  return {
    remembered,
    pass: (ms: number) => (now += ms),
    answer: () => waiting.shift()!(),
    loads: () => loads,
  }
}

test('many that ask at once cause one question, and its answer counts for a while', async () => {
  const { remembered, pass, answer, loads } = counting()
  const asked = [remembered.get(), remembered.get()]
  answer()
  assert.deepEqual(await Promise.all(asked), [1, 1])
  pass(9)
  assert.equal(await remembered.get(), 1)
  pass(1)
  const again = remembered.get()
  answer()
  assert.deepEqual([await again, loads()], [2, 2])
})

test('what was asked before a change is told to those that asked before it alone', async () => {
  const { remembered, answer } = counting()
  const before = remembered.get()
  remembered.forget()
  const after = remembered.get()
  answer()
  assert.equal(await before, 1)
  answer()
  assert.equal(await after, 2)
  assert.equal(await remembered.get(), 2)
})

test('a change that is known is made to what is remembered', async () => {
  const { remembered, answer, loads } = counting()
  remembered.amend((value) => value + 10)
  const first = remembered.get()
  answer()
  await first
  remembered.amend((value) => value + 10)
  assert.deepEqual([await remembered.get(), loads()], [11, 1])
})

test('a question that fails is asked again', async () => {
  let loads = 0
  const remembered = new Remembered(async () => {
    if (++loads === 1) throw new Error('once')
    return loads
  }, 10)
  await assert.rejects(remembered.get(), /once/)
  assert.equal(await remembered.get(), 2)
})
