// Logs in the tlog-tiles format between us and the public libraries of that format, in both directions.
import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { after, describe, test } from 'node:test'
import { isFailure, nodeFileSystem } from '#base/index.ts'
import {
  answerCosignRequest,
  cosignatureVerifier,
  directoryTiles,
  formatNoteKey,
  leafHash,
  noteSigner,
  noteVerifier,
  openLog,
  openWitness,
  readLog,
  verifyConsistency,
  verifyInclusion,
} from '#log/index.ts'
import { needs } from './peers.ts'
import { Workbench } from './workbench.ts'

const bench = new Workbench()
after(() => bench[Symbol.asyncDispose]())
const origin = 'log.example/audit'
const { privateKey } = generateKeyPairSync('ed25519')
const signer = noteSigner(origin, privateKey)
const trust = { origin, verifiers: [noteVerifier(signer)] }
// Go's text form of a signing key.
const seed = Buffer.from(privateKey.export({ format: 'jwk' }).d!, 'base64url')
const id = signer.keyId.toString(16).padStart(8, '0')
const secret = `PRIVATE+KEY+${origin}+${id}+${Buffer.concat([Buffer.of(1), seed]).toString('base64')}`
const entry = (at: number) => Buffer.from(`entry ${at}`)

describe('logs and the libraries of tlog-tiles', needs('tlog-peer'), () => {
  for (const sizes of [
    [0, 1],
    [5, 256],
    [255, 257],
    [256, 512],
    [65_535, 66_001],
  ] as const) {
    test(`they verify every entry of our log of ${sizes[1]}, and that it continues ${sizes[0]}`, async () => {
      const directory = bench.fresh('log')
      const older = `${directory}.older`
      let count = 0
      for (const size of sizes) {
        await using log = await openLog({ directory, origin, signer })
        const added: Promise<unknown>[] = []
        for (; count < size; count++) added.push(log.append(entry(count)))
        await Promise.all(added)
        if (size === sizes[0]) writeFileSync(older, (await log.checkpoint()).note)
      }
      const args = [
        'read',
        directory,
        origin,
        formatNoteKey(signer),
        ...(sizes[0] > 0 ? ['-older', older] : []),
      ]
      const { stdout } = await bench.run('tlog-peer', args)
      const [told, ...entries] = stdout.trimEnd().split('\n')
      assert.equal(Number(told), sizes[1])
      assert.equal(entries.length, sizes[1])
      entries.forEach((text, at) => {
        assert.equal(text, entry(at).toString('hex'))
      })
    })
  }

  test('they verify what our witness cosigns', async () => {
    const directory = bench.fresh('log')
    const witness = openWitness({
      directory: bench.fresh('witness'),
      name: 'witness.example/w',
      key: generateKeyPairSync('ed25519').privateKey,
      logs: new Map([[origin, trust.verifiers]]),
    })
    await using log = await openLog({ directory, origin, signer, cosigners: [witness] })
    for (let at = 0; at < 3; at++) await log.append(entry(at))
    const args = ['read', directory, origin, formatNoteKey(signer), '-witness']
    await bench.run('tlog-peer', [...args, formatNoteKey(witness.key)])
    const stranger = noteSigner('witness.example/other', generateKeyPairSync('ed25519').privateKey)
    await bench.run('tlog-peer', [...args, formatNoteKey(stranger)], { exit: 1 })
  })

  test('what they refuse we refuse', async () => {
    const directory = bench.fresh('log')
    await using log = await openLog({ directory, origin, signer })
    await Promise.all(Array.from({ length: 300 }, (_, at) => log.append(entry(at))))
    const read = (code: number) =>
      bench.run('tlog-peer', ['read', directory, origin, formatNoteKey(signer)], { exit: code })
    await read(0)
    for (const path of ['tile/0/000', 'tile/0/001.p/44', 'tile/entries/000', 'checkpoint']) {
      const whole = readFileSync(`${directory}/${path}`)
      writeFileSync(`${directory}/${path}`, whole.with(40, whole[40]! ^ 1))
      await read(1)
      const ours = readLog({ ...trust, store: directoryTiles(directory, nodeFileSystem) })
      await assert.rejects(Array.fromAsync(ours.entries(0)), (error) => isFailure(error), path)
      writeFileSync(`${directory}/${path}`, whole)
    }
    await read(0)
  })

  test('our witness cosigns for the log that Tessera writes, asked over HTTP', async () => {
    const witness = openWitness({
      directory: bench.fresh('witness'),
      name: 'witness.example/w',
      key: generateKeyPairSync('ed25519').privateKey,
      logs: new Map([[origin, trust.verifiers]]),
    })
    const server = createServer(async (request, response) => {
      const known = request.method === 'POST' && request.url === '/add-checkpoint'
      const answer = known ? await answerCosignRequest(witness, await buffer(request)) : undefined
      response.writeHead(answer?.status ?? 404, { 'content-type': answer?.contentType ?? 'text/plain' })
      response.end(answer?.body)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    bench.onClose(async () => server.close())
    const directory = bench.fresh('tessera')
    const policy = `${directory}.policy`
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    writeFileSync(policy, `witness w ${formatNoteKey(witness.key)} ${url}\nquorum w\n`)
    await bench.run('tlog-peer', ['make', directory, secret, '700', '-witnesses', policy])
    assert.equal((await witness.last(origin))?.size, 700)
    const witnesses = [cosignatureVerifier(witness.key)]
    const log = readLog({ ...trust, witnesses, store: directoryTiles(directory, nodeFileSystem) })
    assert.equal((await log.checkpoint()).size, 700)
  })

  test('we read the log that Tessera writes', async () => {
    const directory = bench.fresh('tessera')
    await bench.run('tlog-peer', ['make', directory, secret, '1000'])
    const log = readLog({ ...trust, store: directoryTiles(directory, nodeFileSystem) })
    const checkpoint = await log.checkpoint()
    assert.equal(checkpoint.size, 1000)
    const found = new Set<string>()
    for await (const { index, bytes } of log.entries(0)) {
      found.add(Buffer.from(bytes).toString())
      verifyInclusion(leafHash(bytes), index, checkpoint, await log.inclusionProof(index, 1000))
    }
    assert.equal(found.size, 1000)
    // And go on writing it where Tessera has stopped.
    {
      await using ours = await openLog({ directory, origin, signer })
      assert.equal((await ours.append(Buffer.from('ours'))).index, 1000)
      verifyConsistency(checkpoint, await ours.checkpoint(), await ours.consistencyProof(1000, 1001))
    }
    const args = ['read', directory, origin, formatNoteKey(signer)]
    assert.match((await bench.run('tlog-peer', args)).stdout, /^1001\n/)
  })
})
