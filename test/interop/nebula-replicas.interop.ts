// Several brokers with one real PostgreSQL: one Nebula authority, and no name or address twice.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, describe, test } from 'node:test'
import { formatKeyring, newKeyring } from '../../src/broker/stores/index.ts'
import { testKeyFile, type WorkerLine } from '../support/nebula-worker.ts'
import { needs } from './peers.ts'
import { startPostgres } from './postgres.ts'
import { Workbench } from './workbench.ts'

const bench = new Workbench()
after(() => bench[Symbol.asyncDispose]())

describe('Nebula by several brokers', needs('pg_ctl'), () => {
  test('three that start at once have one authority, and give no name or address twice', async () => {
    await using server = await startPostgres()
    const keyring = bench.path('keyring')
    writeFileSync(keyring, await formatKeyring(newKeyring(), testKeyFile))
    const worker = join(import.meta.dirname, '..', 'support', 'nebula-worker.ts')
    const guests = ['ada', 'bob', 'cy']
    const count = 20
    const outputs = await Promise.all(
      guests.map(async (guest) => {
        const child = spawn(process.execPath, [worker, server.url, keyring, guest, `${count}`], {
          stdio: ['ignore', 'pipe', 'inherit'],
        })
        const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
        assert.equal(code, 0)
        return output
      }),
    )
    const lines = outputs.flatMap((output) =>
      output
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as WorkerLine),
    )
    assert.equal(new Set(lines.map(({ issuer }) => issuer)).size, 1)
    const names = lines.map(({ name }) => name)
    assert.equal(new Set(names).size, names.length, 'a name twice')
    assert.equal(names.length, count * (guests.length + 1), 'a name that nobody got')
    const addresses = lines.map(({ address }) => address)
    assert.equal(new Set(addresses).size, addresses.length, 'an address twice')
  })
})
