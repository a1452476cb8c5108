// The log's sequence in a real PostgreSQL: replicas that append at once, one of them killed.
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { isFailure } from '#base/index.ts'
import {
  type Cosigner,
  connectPostgres,
  cosignatureVerifier,
  type Database,
  leafHash,
  noteSigner,
  noteVerifier,
  openPostgresLog,
  openWitness,
  verifyCheckpoint,
  verifyConsistency,
  verifyInclusion,
} from '#log/index.ts'
import { origin } from './log-postgres-origin.ts'
import { needs } from './peers.ts'
import { type PostgresServer, startPostgres } from './postgres.ts'
import { Replica } from './replica.ts'
import { Workbench } from './workbench.ts'

const bench = new Workbench()
after(() => bench[Symbol.asyncDispose]())
const { privateKey } = generateKeyPairSync('ed25519')
const signer = noteSigner(origin, privateKey)
const keyFile = bench.path('key.pem')
const failsWith = (code: string) => (error: unknown) => isFailure(error, code)

const replicaOf = (url: string, name: string) => new Replica('log-postgres-writer.ts', [url, keyFile, name])

describe('a log in PostgreSQL', needs('pg_ctl'), () => {
  let server: PostgresServer
  let database: Database
  before(async () => {
    writeFileSync(keyFile, privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 })
    server = await startPostgres()
    bench.onClose(async () => server[Symbol.asyncDispose]())
    database = await connectPostgres(server.url)
    bench.onClose(async () => database[Symbol.asyncDispose]())
  })

  test('three replicas at once give one sequence, though one after the other is killed', async () => {
    // They also make the tables at once.
    const replicas = ['a', 'b', 'c'].map((name) => replicaOf(server.url, name))
    const all = [...replicas]
    for (let round = 0; round < 4; round++) {
      const [victim] = replicas
      const before = victim!.acknowledged.length
      await Promise.all(replicas.map((replica) => replica.reaches(replica.acknowledged.length + 40)))
      assert.ok(victim!.acknowledged.length > before)
      // At any moment of what it does.
      await setTimeout(Math.random() * 10)
      await victim!.end('SIGKILL')
      replicas.shift()
      const next = replicaOf(server.url, `after ${round}`)
      replicas.push(next)
      all.push(next)
    }
    await Promise.all(replicas.map((replica) => replica.reaches(20)))
    await Promise.all(replicas.map((replica) => replica.end('SIGTERM')))

    await using log = await openPostgresLog({ database, origin, signer })
    const last = await log.checkpoint()
    const texts: string[] = []
    for await (const { index, bytes } of log.entries(0)) {
      texts.push(Buffer.from(bytes).toString())
      verifyInclusion(leafHash(bytes), index, last, await log.inclusionProof(index, last.size))
    }
    assert.equal(texts.length, last.size)
    assert.equal(new Set(texts).size, texts.length, 'nothing stands there twice')
    const acknowledged = all.flatMap((replica) => replica.acknowledged)
    assert.ok(acknowledged.length > 400)
    for (const [index, text] of acknowledged) assert.equal(texts[index], text)
    // Each replica's entries stand in the order in which it gave them.
    for (const name of ['a', 'b', 'c']) {
      const own = texts.filter((text) => text.startsWith(`${name} `))
      assert.deepEqual(
        own,
        own.map((_, at) => `${name} ${at}`),
      )
    }
    assert.ok(texts.length - acknowledged.length <= 4 * 5, 'only what was under way at a kill was not told')
  })

  test('replicas take turns, and each sees what the other wrote', async () => {
    const options = {
      database,
      origin: 'log.example/turns',
      signer: noteSigner('log.example/turns', privateKey),
    }
    await using one = await openPostgresLog(options)
    await using two = await openPostgresLog(options)
    const empty = await one.checkpoint()
    for (let at = 0; at < 600; at += 1) {
      const { index, checkpoint } = await (at % 3 === 0 ? one : two).append(Buffer.from(`${at}`))
      assert.equal(index, at)
      if (at % 150 !== 0) continue
      verifyConsistency(empty, checkpoint, await two.consistencyProof(0, checkpoint.size))
      assert.equal((await one.checkpoint()).size, at + 1)
    }
    const many = await Promise.all(Array.from({ length: 3000 }, () => one.append(Buffer.alloc(40, 1))))
    assert.deepEqual(
      many.map(({ index }) => index),
      Array.from({ length: 3000 }, (_, at) => 600 + at),
    )
    assert.equal((await two.append(new Uint8Array(0))).index, 3600)
    assert.deepEqual((await two.entry(3600)).length, 0)
    verifyConsistency(await one.checkpoint(), await two.checkpoint(), [])
  })

  test('replicas share a witness, and one that fails after its answer stops nobody', async () => {
    const name = 'log.example/witnessed'
    const signer = noteSigner(name, privateKey)
    const verifiers = [noteVerifier(signer)]
    const witness = openWitness({
      directory: bench.fresh('witness'),
      name: 'witness.example/w',
      key: generateKeyPairSync('ed25519').privateKey,
      logs: new Map([[name, verifiers]]),
    })
    let losesAnswer = false
    const forgetful: Cosigner = {
      name: witness.name,
      async cosign(request) {
        const lines = await witness.cosign(request)
        if (losesAnswer) throw new Error('the answer was lost')
        return lines
      },
    }
    const options = { database, origin: name, signer }
    await using one = await openPostgresLog({ ...options, cosigners: [forgetful] })
    await using two = await openPostgresLog({ ...options, cosigners: [witness] })
    const both = [one, two].flatMap((log, which) =>
      Array.from({ length: 200 }, async (_, at) => {
        await setTimeout(at)
        const { index, checkpoint } = await log.append(Buffer.from(`${which} ${at}`))
        assert.ok(checkpoint.size > index)
        return index
      }),
    )
    assert.equal(new Set(await Promise.all(both)).size, 400)
    losesAnswer = true
    await assert.rejects(one.append(Buffer.from('late')), failsWith('NOTE_KEY_UNKNOWN'))
    assert.equal((await one.checkpoint()).size, 400)
    assert.equal((await witness.last(name))?.size, 401)
    assert.equal((await two.append(Buffer.from('after'))).index, 401)
    assert.equal(Buffer.from(await two.entry(400)).toString(), 'late')
    losesAnswer = false
    const { checkpoint } = await one.append(Buffer.from('again'))
    const witnesses = [cosignatureVerifier(witness.key)]
    assert.equal(verifyCheckpoint(checkpoint.note, { origin: name, verifiers, witnesses }).size, 403)
  })

  test('what is changed in the database is noticed', async () => {
    const name = 'log.example/changed'
    const options = { database, origin: name, signer: noteSigner(name, privateKey) }
    await using log = await openPostgresLog(options)
    await Promise.all(Array.from({ length: 300 }, (_, at) => log.append(Buffer.from(`${at}`))))
    const [row] = await database.query('select id, note from sealift_log where origin = $1', [name])
    const older = row!.note
    await log.append(Buffer.from('more'))
    await database.query("update sealift_log_entry set entry = 'x' where log = $1 and index = 5", [row!.id])
    await assert.rejects(log.entry(5), failsWith('LOG_TILE_INVALID'))
    assert.equal(Buffer.from(await log.entry(299)).toString(), '299')
    await log.checkpoint()
    await database.query('update sealift_log set note = $2, size = 300 where id = $1', [row!.id, older])
    await assert.rejects(log.checkpoint(), failsWith('LOG_ROLLED_BACK'))
    await assert.rejects(log.append(Buffer.from('again')), failsWith('LOG_ROLLED_BACK'))
    await database.query("update sealift_log set note = replace(note, 'A', 'B') where id = $1", [row!.id])
    await assert.rejects(openPostgresLog(options), (error) => isFailure(error))
  })

  test('a database that is away is told with its code', async () => {
    await using away = await connectPostgres('postgres://nobody@127.0.0.1:1/none')
    const opening = openPostgresLog({ database: away, origin, signer })
    await assert.rejects(opening, failsWith('LOG_DATABASE'))
  })
})
