import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { isFailure, SealiftError } from '#base/index.ts'
import { generateKeyPair, privateKeySigner, publicKeyOf } from '#keys/index.ts'
import { noteVerifier, parseNoteKey } from '#log/index.ts'
import { digestOf } from '#oci/index.ts'
import { openAudit } from '../audit/audit-directory.ts'
import { qrPng, qrText } from './qr-code.ts'
import { makeReceipt, receiptBytes, verifyReceipt } from './receipt.ts'

const base = mkdtempSync(join(tmpdir(), 'sealift-receipt-'))
after(() => rmSync(base, { recursive: true, force: true }))
const content = digestOf(Buffer.from('app'))
const said = {
  at: '2026-11-21T06:00:00.000Z',
  site: 'oilrig-7',
  content,
  name: 'shop',
  version: '1.4.0',
  action: 'installed',
} as const
const { privateKey } = generateKeyPairSync('ed25519')
let made = 0

async function farSide() {
  const directory = join(base, String(made++))
  const audit = await openAudit({ directory, origin: 'oilrig-7/audit', key: privateKey })
  const key = parseNoteKey(audit.verifierKey)
  return { audit, trust: { origin: key.name, verifiers: [noteVerifier(key)] } }
}

const code = (expected: string) => (error: unknown) => isFailure(error, expected)

test('a receipt is made on the far side and verified on the near one with its text alone', async () => {
  const { audit, trust } = await farSide()
  for (let entry = 0; entry < 300; entry++) {
    await audit.append({ ...said, type: 'receipt', site: `s${entry}` })
  }
  for (const algorithm of ['ed25519', 'ecdsa-p256'] as const) {
    const key = await generateKeyPair(algorithm)
    const { text, index } = await makeReceipt(
      audit,
      audit.log,
      { ...said, challenge: 'blue 42' },
      privateKeySigner(key.privateKey),
    )
    assert.ok(Buffer.byteLength(text) <= receiptBytes)
    assert.equal((await qrPng(text)).subarray(1, 4).toString(), 'PNG')
    assert.ok((await qrText(text)).split('\n').length > 40)
    const receipt = await verifyReceipt(text, {
      ...trust,
      keys: [publicKeyOf(key.privateKey)],
      content,
      challenge: 'blue 42',
    })
    assert.equal(receipt.record.site, 'oilrig-7')
    assert.equal(receipt.index, index)
    assert.equal(receipt.signer?.id, publicKeyOf(key.privateKey).id)
  }
  await audit[Symbol.asyncDispose]()
})

test('a receipt for something else, of another log, or without the wanted signature is refused', async () => {
  const { audit, trust } = await farSide()
  const { text } = await makeReceipt(audit, audit.log, said)
  const other = digestOf(Buffer.from('other'))
  await assert.rejects(verifyReceipt(text, { ...trust, content: other }), code('RECEIPT_OTHER_CONTENT'))
  await assert.rejects(verifyReceipt(text, { ...trust, challenge: 'x' }), code('RECEIPT_CHALLENGE'))
  const key = (await generateKeyPair('ed25519')).publicKey
  await assert.rejects(verifyReceipt(text, { ...trust, keys: [key] }), code('RECEIPT_UNSIGNED'))
  await assert.rejects(verifyReceipt(text, { ...trust, origin: 'elsewhere' }), code('LOG_ORIGIN_WRONG'))
  await audit[Symbol.asyncDispose]()
})

test('a signature that was moved from another receipt is refused', async () => {
  const { audit, trust } = await farSide()
  const key = await generateKeyPair('ed25519')
  const signer = privateKeySigner(key.privateKey)
  const signed = await makeReceipt(audit, audit.log, said, signer)
  const { record } = await verifyReceipt(signed.text, trust)
  const { text } = await makeReceipt(audit, audit.log, {
    ...said,
    site: 'submarine-1',
    ...({ signature: record.signature } as object),
  })
  const keys = [publicKeyOf(key.privateKey)]
  await assert.rejects(verifyReceipt(text, { ...trust, keys }), code('SIGNATURE_INVALID'))
  await audit[Symbol.asyncDispose]()
})

test('what does not fit into a QR code is refused', async () => {
  const { audit } = await farSide()
  const huge = { ...said, name: 'n'.repeat(2500) }
  await assert.rejects(makeReceipt(audit, audit.log, huge), code('RECEIPT_TOO_LARGE'))
  await audit[Symbol.asyncDispose]()
})

test('any change of a receipt is refused, and never crashes', async () => {
  const { audit, trust } = await farSide()
  const { text } = await makeReceipt(audit, audit.log, said)
  const bytes = Buffer.from(text)
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, xor) => {
      const changed = Buffer.from(bytes)
      changed[at] = changed[at]! ^ xor
      try {
        const { record } = await verifyReceipt(changed, { ...trust, content })
        // What is left: signature lines of keys that nobody named.
        assert.equal(record.site, said.site)
      } catch (error) {
        assert.ok(error instanceof SealiftError, String(error))
      }
    }),
    { numRuns: 300 },
  )
  await audit[Symbol.asyncDispose]()
})
