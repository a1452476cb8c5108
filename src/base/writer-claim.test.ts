import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { claim, isAbandoned } from './writer-claim.ts'

test('a claim holds while its process lives, and no longer', async () => {
  const script = `import { claim } from ${JSON.stringify(new URL('writer-claim.ts', import.meta.url).href)}
console.log(claim().name); setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const name = await new Promise<string>((resolve) =>
      child.stdout.once('data', (text) => resolve(`${text}`.trim())),
    )
    const longAgo = Date.now() - 86_400_000
    assert.equal(isAbandoned(name, longAgo), false, 'however silent')
    child.kill('SIGKILL')
    await new Promise((resolve) => child.once('exit', resolve))
    assert.equal(isAbandoned(name, Date.now()), true)
  } finally {
    child.kill('SIGKILL')
  }
  const mine = claim()
  assert.equal(isAbandoned(mine.name, 0), false)
  mine.release()
  assert.equal(isAbandoned(mine.name, Date.now()), true)
  // Another machine's: only its silence tells.
  const elsewhere = 'abc0-4026531836-1-77-1'
  const now = () => 1_000_000_000
  assert.equal(isAbandoned(elsewhere, now() - 1000, { now }), false)
  assert.equal(isAbandoned(elsewhere, now() - 3_600_000, { now }), true)
  assert.equal(isAbandoned('garbage', now() - 1000, { now }), false)
})
