import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
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
