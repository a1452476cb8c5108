import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { isFailure, nodeFileSystem } from '#base/index.ts'
import { formatCheckpoint, verifyCheckpoint } from './checkpoint.ts'
import { cosignatureVerifier } from './cosignature.ts'
import { leafHash } from './hash.ts'
import { parseNote, signNote } from './note.ts'
import { noteSigner, noteVerifier } from './note-key.ts'
import { openLog } from './open-log.ts'
import { readLog } from './read-log.ts'
import { directoryTiles } from './tile-store.ts'
import type { Cosigner } from './types.ts'
import { openWitness } from './witness.ts'

const origin = 'log.example/audit'
const signer = noteSigner(origin, generateKeyPairSync('ed25519').privateKey)
const verifiers = [noteVerifier(signer)]
const failsWith = (code: string) => (error: unknown) => isFailure(error, code)

async function setting(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'sealift-witness-'))
  t.after(() => rm(folder, { recursive: true }))
  const witness = (name: string) =>
    openWitness({
      directory: join(folder, name),
      name: `witness.example/${name}`,
      key: generateKeyPairSync('ed25519').privateKey,
      logs: new Map([[origin, verifiers]]),
      now: () => new Date('2026-01-02T03:04:05Z'),
    })
  return { folder, directory: join(folder, 'log'), witness }
}

test('witnesses cosign each checkpoint, and a reader counts them', async (t) => {
  const { directory, witness } = await setting(t)
  const [one, two] = [witness('one'), witness('two')]
  for (let opened = 0; opened < 2; opened++) {
    await using log = await openLog({ directory, origin, signer, cosigners: [one, two] })
    for (let at = 0; at < 3; at++) await log.append(Buffer.from(`${at}`))
  }
  const store = directoryTiles(directory, nodeFileSystem)
  const witnesses = [one, two].map(({ key }) => cosignatureVerifier(key))
  const { size, note } = await readLog({ store, origin, verifiers, witnesses }).checkpoint()
  assert.equal(size, 6)
  assert.equal(parseNote(note).signatures.length, 3)
  assert.equal((await one.last(origin))?.size, 6)
  const stranger = cosignatureVerifier(witness('three').key)
  const strict = readLog({ store, origin, verifiers, witnesses: [...witnesses, stranger] })
  await assert.rejects(strict.checkpoint(), failsWith('NOTE_KEY_UNKNOWN'))
  const lenient = readLog({ store, origin, verifiers, witnesses: [...witnesses, stranger], quorum: 2 })
  assert.equal((await lenient.checkpoint()).size, 6)
})

test('a witness refuses forks, rollbacks, strangers and proofs that do not prove', async (t) => {
  const { witness: make } = await setting(t)
  const witness = make('one')
  const leaf = (text: string) => leafHash(Buffer.from(text))
  const note = (size: number, root: Uint8Array, by = signer) =>
    signNote(formatCheckpoint({ origin, size, root }), [by])
  const one = await note(1, leaf('a'))
  const cosigned = await witness.cosign({ oldSize: 0, proof: [], checkpoint: one })
  const trust = { origin, verifiers, witnesses: [cosignatureVerifier(witness.key)] }
  verifyCheckpoint(one + cosigned, trust)
  // The same again is harmless.
  await witness.cosign({ oldSize: 1, proof: [], checkpoint: one })
  const refuse = async (checkpoint: string, oldSize: number, proof: Uint8Array[], code: string) =>
    assert.rejects(witness.cosign({ oldSize, proof, checkpoint }), failsWith(code))
  await refuse(await note(1, leaf('b')), 1, [], 'LOG_FORKED')
  await refuse(await note(2, leaf('b')), 1, [leaf('c')], 'LOG_PROOF_INVALID')
  await refuse(await note(2, leaf('b')), 0, [], 'WITNESS_CONFLICT')
  await refuse(one, 2, [], 'LOG_PROOF_INVALID')
  const stranger = noteSigner(origin, generateKeyPairSync('ed25519').privateKey)
  await refuse(await note(2, leaf('b'), stranger), 1, [], 'NOTE_KEY_UNKNOWN')
  const other = formatCheckpoint({ origin: 'log.example/other', size: 1, root: leaf('a') })
  await refuse(await signNote(other, [signer]), 0, [], 'WITNESS_UNKNOWN_LOG')
  await refuse('nothing\n', 0, [], 'NOTE_INVALID')
  assert.equal((await witness.last(origin))?.size, 1)
})

test('a log that was restored from an old copy is found out by its witness', async (t) => {
  const { directory, witness: make } = await setting(t)
  const witness = make('one')
  const options = { directory, origin, signer, cosigners: [witness] }
  let old: string
  {
    await using log = await openLog(options)
    old = (await log.append(Buffer.from('a'))).checkpoint.note
    await log.append(Buffer.from('b'))
    await log.append(Buffer.from('c'))
  }
  await writeFile(join(directory, 'checkpoint'), old)
  await rm(join(directory, '.checkpoint.pending'))
  await using log = await openLog(options)
  await assert.rejects(log.append(Buffer.from('other')), failsWith('LOG_ROLLED_BACK'))
})

test('a witness that cannot be reached stops the log, and its entries come when it is back', async (t) => {
  const { directory, witness: make } = await setting(t)
  const witness = make('one')
  let isAway = true
  const cosigner: Cosigner = {
    name: witness.name,
    async cosign(request) {
      if (isAway) throw new Error('no answer')
      return witness.cosign(request)
    },
  }
  await using log = await openLog({ directory, origin, signer, cosigners: [cosigner] })
  await assert.rejects(log.append(Buffer.from('a')), failsWith('NOTE_KEY_UNKNOWN'))
  assert.equal((await log.checkpoint()).size, 0)
  isAway = false
  assert.equal((await log.append(Buffer.from('b'))).index, 1)
  assert.equal(Buffer.from(await log.entry(0)).toString(), 'a')
})

test('what a witness answers is signature lines, and nothing else', async (t) => {
  const { directory } = await setting(t)
  for (const answer of ['', 'text\n', '— w AAAAAAA=', '— w AAAAAAA=\n\n— w AAAAAAA=\n']) {
    const cosigner: Cosigner = { name: 'w', cosign: async () => answer }
    await using log = await openLog({ directory, origin, signer, cosigners: [cosigner] })
    await assert.rejects(log.append(Buffer.from('a')), failsWith('NOTE_KEY_UNKNOWN'))
  }
})
