// A process that appends to a log is killed again and again: what it was told of stays, and the log opens.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { nodeFileSystem } from '#base/index.ts'
import { type Checkpoint, directoryTiles, noteSigner, noteVerifier, openLog, readLog } from '#log/index.ts'
import { seededRandom } from './support/seeded-random.ts'

const folder = mkdtempSync(join(tmpdir(), 'sealift-kill-log-'))
after(() => rmSync(folder, { recursive: true }))
const directory = join(folder, 'log')
const keyFile = join(folder, 'key.pem')
const origin = 'log.example/killed'
const { privateKey } = generateKeyPairSync('ed25519')
writeFileSync(keyFile, privateKey.export({ format: 'pem', type: 'pkcs8' }))
const signer = noteSigner(origin, privateKey)
const trust = { origin, verifiers: [noteVerifier(signer)] }

/** Lets a process append for some time after its first entry, and kills it. */
async function live(name: string, forMs: number): Promise<[number, string][]> {
  const script = join(import.meta.dirname, 'support', 'log-worker.ts')
  const child = spawn(process.execPath, [script, directory, keyFile, origin, name], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  const exited = once(child, 'close')
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  await Promise.race([once(child.stdout, 'data'), exited])
  await setTimeout(forMs)
  child.kill('SIGKILL')
  const [, signal] = await exited
  assert.equal(signal, 'SIGKILL', 'the process lived until it was killed')
  const lines = said.split('\n').slice(0, -1)
  return lines.map((line) => [Number(line.slice(0, line.indexOf(' '))), line.slice(line.indexOf(' ') + 1)])
}

test('a log whose writer is killed 12 times loses nothing that was acknowledged', async () => {
  const random = seededRandom(4)
  const acknowledged = new Map<number, string>()
  let seen: Checkpoint | undefined
  for (let kill = 0; kill < 12; kill++) {
    for (const [index, text] of await live(`life ${kill}`, random() * 40)) {
      assert.equal(acknowledged.get(index), undefined, 'no index is given twice')
      acknowledged.set(index, text)
    }
    // A reader finds all of it before anybody has written again.
    const log = readLog({
      ...trust,
      store: directoryTiles(directory, nodeFileSystem),
      ...(seen && { remembered: seen }),
    })
    seen = await log.checkpoint()
    const found: string[] = []
    for await (const { bytes } of log.entries(0)) found.push(Buffer.from(bytes).toString())
    for (const [index, text] of acknowledged) assert.equal(found[index], text)
    assert.equal(new Set(found).size, found.length, 'nothing stands there twice')
  }
  assert.ok(acknowledged.size > 50, `only ${acknowledged.size} entries were written in all lives`)
  await using log = await openLog({ directory, origin, signer, waitMs: 0 })
  assert.ok((await log.append(Buffer.from('after all'))).index >= acknowledged.size)
})
