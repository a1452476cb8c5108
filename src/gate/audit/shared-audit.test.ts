import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { nodeFileSystem } from '#base/index.ts'
import { digestOf } from '#oci/index.ts'
import { openAudit } from './audit-directory.ts'
import { DirectoryObjects } from './objects.ts'
import type { ReceiptRecord } from './record.ts'
import { SharedAudit } from './shared-audit.ts'

const directory = mkdtempSync(join(tmpdir(), 'sealift-shared-'))
after(() => rmSync(directory, { recursive: true, force: true }))
const { privateKey } = generateKeyPairSync('ed25519')
const open = () => openAudit({ directory, origin: 'site/audit', key: privateKey, waitMs: 20_000 })
const objects = new DirectoryObjects(join(directory, 'objects'), nodeFileSystem)
const record = (site: string): ReceiptRecord => ({
  type: 'receipt',
  at: '2026-11-21T06:00:00.000Z',
  site,
  content: digestOf(Buffer.from(site)),
  action: 'verified',
})

test('several writers of one folder take turns, and every entry has a place of its own', async () => {
  const writers = ['a', 'b', 'c'].map(() => new SharedAudit({ open, objects, idleMs: 5, turnMs: 30 }))
  const indexes: number[] = []
  await Promise.all(
    writers.map(async (writer, number) => {
      for (let round = 0; round < 10; round++) {
        const group = [0, 1, 2].map((one) => writer.append(record(`${number}-${round}-${one}`)))
        indexes.push(...(await Promise.all(group)))
      }
      await writer[Symbol.asyncDispose]()
    }),
  )
  assert.deepEqual(
    indexes.sort((a, b) => a - b),
    Array.from({ length: 90 }, (_, index) => index),
  )
  await using audit = await open()
  const sites = new Set<string>()
  for await (const { record: read } of audit.records()) if (read.type === 'receipt') sites.add(read.site)
  assert.equal(sites.size, 90)
})

test('after a rest it goes on behind what a command has written, and gives the folder back at its end', async () => {
  const beside = mkdtempSync(join(directory, 'beside-'))
  const openBeside = () =>
    openAudit({ directory: beside, origin: 'site/audit', key: privateKey, waitMs: 20_000 })
  const server = new SharedAudit({ open: openBeside, objects, idleMs: 1 })
  for (let round = 0; round < 5; round++) {
    assert.equal(await server.append(record(`server ${round}`)), 2 * round)
    // Waits until the server rests: it does not end.
    await using command = await openBeside()
    assert.equal(await command.append(record(`command ${round}`)), 2 * round + 1)
  }
  await server[Symbol.asyncDispose]()
  await using last = await openAudit({ directory: beside, origin: 'site/audit', key: privateKey, waitMs: 0 })
  assert.equal((await last.log.checkpoint()).size, 10)
})

test('a log that was set back while it rested is refused for good', async () => {
  const one = mkdtempSync(join(directory, 'back-'))
  const openOne = () => openAudit({ directory: one, origin: 'site/audit', key: privateKey, waitMs: 20_000 })
  await using server = new SharedAudit({ open: openOne, objects, idleMs: 1 })
  await server.append(record('a'))
  const path = join(one, 'log', 'checkpoint')
  const before = readFileSync(path)
  await server.append(record('b'))
  // Whoever opens the folder finds it at rest.
  await (await openOne())[Symbol.asyncDispose]()
  writeFileSync(path, before)
  for (let time = 0; time < 3; time++)
    await assert.rejects(server.append(record('c')), { code: 'LOG_ROLLED_BACK' })
})
