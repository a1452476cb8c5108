import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { isFailure } from '#base/index.ts'
import { PowerCutFileSystem } from '../../test/support/power-cut-file-system.ts'
import { formatCheckpoint } from './checkpoint.ts'
import { cosignatureVerifier } from './cosignature.ts'
import { leafHash } from './hash.ts'
import { signNote } from './note.ts'
import { noteSigner, noteVerifier } from './note-key.ts'
import { openLog } from './open-log.ts'
import { readLog } from './read-log.ts'
import { directoryTiles } from './tile-store.ts'
import { openWitness } from './witness.ts'
import {
  answerCosignRequest,
  formatCosignRequest,
  parseCosignRequest,
  remoteWitness,
  type WitnessAnswer,
  witnessAt,
} from './witness-protocol.ts'

const origin = 'log.example/audit'
const signer = noteSigner(origin, generateKeyPairSync('ed25519').privateKey)
const verifiers = [noteVerifier(signer)]
const failsWith = (code: string) => (error: unknown) => isFailure(error, code)

const newWitness = () =>
  openWitness({
    directory: '/witness',
    fs: new PowerCutFileSystem(),
    name: 'witness.example/w',
    key: generateKeyPairSync('ed25519').privateKey,
    logs: new Map([[origin, verifiers]]),
  })

async function serve(t: TestContext, answer: (body: Uint8Array) => Promise<WitnessAnswer>): Promise<URL> {
  const server = createServer(async (request, response) => {
    const known = request.method === 'POST' && request.url === '/w/add-checkpoint'
    const { status, contentType, body } = known
      ? await answer(await buffer(request))
      : { status: 405, contentType: 'text/plain', body: '' }
    response.writeHead(status, { 'content-type': contentType }).end(body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/w/`)
}

test('a log is cosigned over HTTP, also where the witness knows more or less than the log remembers', async (t) => {
  const witness = newWitness()
  const url = await serve(t, (body) => answerCosignRequest(witness, body))
  const fs = new PowerCutFileSystem()
  const options = { directory: '/log', fs, origin, signer }
  for (let opened = 0; opened < 3; opened++) {
    const cosigners = [remoteWitness(witness.name, witnessAt(url))]
    await using log = await openLog({ ...options, cosigners })
    await Promise.all(Array.from({ length: 300 }, (_, at) => log.append(Buffer.from(`${opened} ${at}`))))
    await log.append(Buffer.from('more'))
  }
  const witnesses = [cosignatureVerifier(witness.key)]
  const store = directoryTiles('/log', fs)
  assert.equal((await readLog({ store, origin, verifiers, witnesses }).checkpoint()).size, 903)
})

test('each refusal has its status, and its code on the other side', async (t) => {
  const witness = newWitness()
  const url = await serve(t, (body) => answerCosignRequest(witness, body))
  const remote = remoteWitness(witness.name, witnessAt(url))
  const leaf = (text: string) => leafHash(Buffer.from(text))
  const note = (size: number, root: Uint8Array, by = signer, of = origin) =>
    signNote(formatCheckpoint({ origin: of, size, root }), [by])
  const stranger = noteSigner(origin, generateKeyPairSync('ed25519').privateKey)
  const two = await note(2, leaf('a'))
  await remote.cosign({ oldSize: 0, proof: [], checkpoint: two })
  const cases = [
    [404, 'WITNESS_UNKNOWN_LOG', 2, await note(2, leaf('a'), signer, 'log.example/other')],
    [403, 'NOTE_KEY_UNKNOWN', 2, await note(3, leaf('a'), stranger)],
    [403, 'NOTE_KEY_UNKNOWN', 2, two.replace('\n2\n', '\n3\n')],
    [409, 'WITNESS_CONFLICT', 1, two],
    [422, 'LOG_FORKED', 2, await note(2, leaf('b'))],
    [422, 'LOG_FORKED', 2, await note(3, leaf('b'))],
    [400, 'CHECKPOINT_INVALID', 3, two],
    [400, 'CHECKPOINT_INVALID', 2, 'nothing\n'],
  ] as const
  for (const [status, code, oldSize, checkpoint] of cases) {
    const request = { oldSize, proof: [], checkpoint }
    assert.equal(
      (await answerCosignRequest(witness, Buffer.from(formatCosignRequest(request)))).status,
      status,
    )
    await assert.rejects(remote.cosign(request), failsWith(code), `${status} ${code}`)
  }
  const conflict = Buffer.from(formatCosignRequest({ oldSize: 1, proof: [], checkpoint: two }))
  assert.deepEqual(await answerCosignRequest(witness, conflict), {
    status: 409,
    contentType: 'text/x.tlog.size',
    body: '2\n',
  })
})

test('an answer without end is cut off', async (t) => {
  const long = { status: 200, contentType: 'text/plain', body: 'x'.repeat(1024 * 1024) }
  const url = await serve(t, async () => long)
  await assert.rejects(witnessAt(url)(''), failsWith('NOTE_INVALID'))
})

test('a request is read as it was written; anything else is refused', async () => {
  const checkpoint = await signNote(formatCheckpoint({ origin, size: 9, root: leafHash(Buffer.of()) }), [
    signer,
  ])
  const hash = leafHash(Buffer.of(1))
  const format = (oldSize: number, count: number) =>
    formatCosignRequest({ oldSize, proof: Array(count).fill(hash), checkpoint })
  for (const [oldSize, count] of [
    [0, 0],
    [9, 0],
    [5, 63],
  ] as const) {
    const read = parseCosignRequest(Buffer.from(format(oldSize, count)))
    assert.equal(formatCosignRequest(read), format(oldSize, count))
  }
  const text = format(5, 2)
  const wrong = [
    '',
    text.replace('old 5', 'old 05'),
    text.replace('old 5', 'old -5'),
    text.replace('old 5', 'old 10'),
    text.replace('old 5', 'Old 5'),
    text.replace('\n\n', '\n'),
    format(5, 64),
    `\n${text}`,
    text.replaceAll('\n', '\r\n'),
  ]
  for (const body of wrong) {
    assert.throws(() => parseCosignRequest(Buffer.from(body)), failsWith('CHECKPOINT_INVALID'), body)
  }
  const bytes = Buffer.from(text)
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, byte) => {
      const changed = Buffer.from(bytes.with(at, byte))
      try {
        assert.deepEqual(Buffer.from(formatCosignRequest(parseCosignRequest(changed))), changed)
      } catch (error) {
        if (!isFailure(error)) throw error
      }
    }),
  )
})
