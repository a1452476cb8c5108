import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { isFailure, limits } from '#base/index.ts'
import { PowerCutFileSystem } from '../../test/support/power-cut-file-system.ts'
import { noteSigner, noteVerifier } from './note-key.ts'
import { openLog } from './open-log.ts'
import { formatLogProof, type LogProof, parseLogProof, proveEntry, verifyLogProof } from './tlog-proof.ts'

const origin = 'log.example/audit'
const signer = noteSigner(origin, generateKeyPairSync('ed25519').privateKey)
const trust = { origin, verifiers: [noteVerifier(signer)] }
const entry = (at: number) => Buffer.from(`entry ${at}`)
const failsWith = (code: string) => (error: unknown) => isFailure(error, code)

async function proofs(count: number): Promise<LogProof[]> {
  await using log = await openLog({ directory: '/log', fs: new PowerCutFileSystem(), origin, signer })
  await Promise.all(Array.from({ length: count }, (_, at) => log.append(entry(at))))
  return Promise.all(Array.from({ length: count }, (_, at) => proveEntry(log, at)))
}

test('a proof says offline that an entry is in the log, and nothing about any other', async () => {
  for (const count of [1, 2, 3, 5, 257]) {
    const all = await proofs(count)
    all.forEach((proof, at) => {
      const read = parseLogProof(formatLogProof(proof))
      assert.equal(verifyLogProof(read, entry(at), trust).size, count)
      const other = () => verifyLogProof(read, entry(at + 1), trust)
      assert.throws(other, failsWith('LOG_PROOF_INVALID'))
    })
  }
})

test('extra data travels along', async () => {
  const [proof] = await proofs(1)
  for (const extra of [new Uint8Array(0), Buffer.from('context'), Buffer.alloc(limits.logProofExtraBytes)]) {
    const read = parseLogProof(formatLogProof({ ...proof!, extra }))
    assert.deepEqual(Buffer.from(read.extra!), Buffer.from(extra))
  }
  assert.equal('extra' in parseLogProof(formatLogProof(proof!)), false)
  const long = { ...proof!, extra: Buffer.alloc(limits.logProofExtraBytes + 1) }
  assert.throws(() => parseLogProof(formatLogProof(long)), failsWith('LOG_PROOF_INVALID'))
})

test('what is not a proof is refused', async () => {
  const text = formatLogProof((await proofs(4))[2]!)
  assert.equal(verifyLogProof(parseLogProof(text), entry(2), trust).size, 4)
  const hash = text.split('\n')[2]!
  const wrong = [
    '',
    text.replace('@v1', '@v2'),
    text.replace('index 2', 'index 02'),
    text.replace('index 2', 'index -2'),
    text.replace('index 2', 'index 2 '),
    text.replace('index 2', 'index 9007199254740992'),
    text.replace('index 2\n', ''),
    text.replace('index 2', 'extra !\nindex 2'),
    text.replace('index 2', 'extra AA==\nextra AA==\nindex 2'),
    text.replace('index 2', 'index 2\nindex 2'),
    text.replace('index 2', 'more\nindex 2'),
    text.replace(hash, hash.slice(0, -1)),
    text.replace(hash, `${hash}\n${hash.slice(4)}`),
    text.replace(hash, Array(54).fill(hash).join('\n')),
    text.replaceAll('\n', '\r\n'),
    text.replace('\n\n', '\n'),
    ` ${text}`,
  ]
  for (const proof of wrong) {
    assert.throws(() => parseLogProof(proof), failsWith('LOG_PROOF_INVALID'), JSON.stringify(proof))
  }
  assert.throws(() => parseLogProof(text.slice(0, -1)), failsWith('NOTE_INVALID'))
  assert.throws(() => parseLogProof(text.replace('\n4\n', '\n04\n')), failsWith('CHECKPOINT_INVALID'))
  const large = Buffer.alloc(limits.logProofBytes + 1, 'a')
  assert.throws(() => parseLogProof(large), failsWith('LOG_PROOF_INVALID'))
  const moved = parseLogProof(text.replace('index 2', 'index 3'))
  assert.throws(() => verifyLogProof(moved, entry(2), trust), failsWith('LOG_PROOF_INVALID'))
  const grown = parseLogProof(text.replace('\n4\n', '\n5\n'))
  assert.throws(() => verifyLogProof(grown, entry(2), trust), failsWith('NOTE_SIGNATURE_INVALID'))
  const elsewhere = { ...trust, origin: 'log.example/other' }
  assert.throws(() => verifyLogProof(parseLogProof(text), entry(2), elsewhere), failsWith('LOG_ORIGIN_WRONG'))
})

test('a damaged proof is refused with a code, or reads as the same text', async () => {
  const text = Buffer.from(formatLogProof({ ...(await proofs(5))[3]!, extra: Buffer.from('x') }))
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.nat(255), fc.boolean(), (at, byte, cut) => {
      const damaged = cut ? text.subarray(0, at) : Buffer.from(text.with(at, byte))
      try {
        const proof = parseLogProof(damaged)
        assert.deepEqual(Buffer.from(formatLogProof(proof)), damaged)
        if (!damaged.equals(text) && !proof.extra) verifyLogProof(proof, entry(3), trust)
      } catch (error) {
        if (!isFailure(error)) throw error
      }
    }),
    { numRuns: 2000 },
  )
})
