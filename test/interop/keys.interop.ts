// Key files and signatures between cosign and us, in both directions; and a password typed at a real terminal.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import {
  keyAlgorithms,
  keyVerifier,
  openKeyFile,
  parsePublicKey,
  privateKeySigner,
  publicKeyHint,
  publicKeyOf,
} from '#keys/index.ts'
import { findPeer, needs } from './peers.ts'
import { sealiftProgram, Workbench } from './workbench.ts'

const bench = new Workbench()
after(() => bench[Symbol.asyncDispose]())

const password = 'correct horse: bättery'
const env = { COSIGN_PASSWORD: password }
const read = (name: string) => readFileSync(bench.path(name), 'utf8')

describe('keys and cosign', needs('cosign'), () => {
  before(() => writeFileSync(bench.path('blob'), 'what is signed'))

  test('a key that cosign made opens here, and is told as cosign tells it', async () => {
    await bench.run('cosign', ['generate-key-pair', '--output-key-prefix', 'theirs'], { env })
    const key = publicKeyOf(await openKeyFile(read('theirs.key'), password))
    assert.equal(key.id, parsePublicKey(read('theirs.pub')).id)
    const { stdout } = await bench.sealift(['key', 'show', 'theirs.key', '-o', 'json'], { env })
    assert.equal(JSON.parse(stdout).pem, read('theirs.pub'))
  })

  test('an empty password is one for both', async () => {
    const none = { env: { COSIGN_PASSWORD: '' } }
    await bench.run('cosign', ['generate-key-pair', '--output-key-prefix', 'open'], none)
    assert.equal(publicKeyOf(await openKeyFile(read('open.key'), '')).id, parsePublicKey(read('open.pub')).id)
    await bench.sealift(['key', 'generate', '--out', 'ours'], none)
    assert.equal(
      (await bench.run('cosign', ['public-key', '--key', 'ours.key'], none)).stdout,
      read('ours.pub'),
    )
  })

  for (const type of keyAlgorithms) {
    test(`a key that we made opens in cosign: ${type}`, async () => {
      await bench.sealift(['key', 'generate', '--type', type, '--out', type], { env })
      const { stdout } = await bench.run('cosign', ['public-key', '--key', `${type}.key`], { env })
      assert.equal(stdout, read(`${type}.pub`))
      const wrong = { env: { COSIGN_PASSWORD: 'wrong' }, exit: 'any' as const }
      assert.equal((await bench.run('cosign', ['public-key', '--key', `${type}.key`], wrong)).stdout, '')
    })

    test(`what cosign signs with it, we verify: ${type}`, async () => {
      const sign = ['sign-blob', '--yes', '--key', `${type}.key`, '--bundle', `${type}.json`]
      await bench.run('cosign', [...sign, '--tlog-upload=false', '--use-signing-config=false', 'blob'], {
        env,
      })
      const bundle = JSON.parse(read(`${type}.json`))
      const key = parsePublicKey(read(`${type}.pub`))
      assert.equal(bundle.verificationMaterial.publicKey.hint, publicKeyHint(key))
      const signature = Buffer.from(bundle.messageSignature.signature, 'base64')
      await keyVerifier(key).verify(readFileSync(bench.path('blob')), signature)
      await assert.rejects(keyVerifier(key).verify(Buffer.from('another'), signature), {
        code: 'SIGNATURE_INVALID',
      })
    })
  }

  // cosign 3.1 verifies blobs with SHA-256 whatever the key is: not even its own of P-384 and P-521.
  for (const type of ['ecdsa-p256', 'rsa', 'ed25519'] as const) {
    test(`what we sign with it, cosign verifies: ${type}`, async () => {
      const signer = privateKeySigner(await openKeyFile(read(`${type}.key`), password))
      const { bytes } = await signer.sign(readFileSync(bench.path('blob')))
      writeFileSync(bench.path(`${type}.sig`), Buffer.from(bytes).toString('base64'))
      const verify = ['verify-blob', '--key', `${type}.pub`, '--signature', `${type}.sig`]
      await bench.run('cosign', [...verify, '--insecure-ignore-tlog', 'blob'])
      writeFileSync(bench.path('other'), 'another')
      assert.match(
        (await bench.run('cosign', [...verify, '--insecure-ignore-tlog', 'other'], { exit: 1 })).stderr,
        /invalid signature|failed to verify|verification error/,
      )
    })
  }
})

describe('the forms of openssl', needs('openssl'), () => {
  const openssl = (...args: string[]) => bench.run('openssl', args)

  test('its private keys are imported, whatever form they have', async () => {
    await openssl('genpkey', '-algorithm', 'ed25519', '-out', 'a.pem')
    await openssl('ecparam', '-name', 'secp384r1', '-genkey', '-out', 'b.pem')
    await openssl('genrsa', '-traditional', '-out', 'c.pem', '2048')
    for (const name of ['a', 'b', 'c']) {
      await bench.sealift(['key', 'import', `${name}.pem`, '--out', name], { env })
      const { stdout } = await openssl('pkey', '-in', `${name}.pem`, '-pubout')
      assert.equal(read(`${name}.pub`), stdout)
    }
  })
})

describe('a terminal', needs('script'), () => {
  test('Ctrl-C at the question ends the command, and nothing is written', async () => {
    const command = `${sealiftProgram} key generate --out stopped`
    const child = spawn(findPeer('script')!, ['-qec', command, '/dev/null'], { cwd: bench.folder })
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (text.includes('New password of stopped.key: ')) child.stdin.write('abc\x03')
    })
    const [code] = await once(child, 'close')
    assert.equal(code, 130)
    assert.ok(!existsSync(bench.path('stopped.key')) && !existsSync(bench.path('stopped.pub')))
  })

  test('a password is asked for there, twice, and is not shown', async () => {
    // `script` runs the command at a pseudo-terminal, and hands on what comes in on stdin as if it were typed.
    const command = `${sealiftProgram} key generate --out typed`
    const child = spawn(findPeer('script')!, ['-qec', command, '/dev/null'], { cwd: bench.folder })
    let shown = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      shown += text
      // The third character is wrong and taken back.
      if (text.includes('New password of typed.key: ')) child.stdin.write('tix\x7f\x7fyped\r')
      if (text.includes('The same again: ')) child.stdin.write('typed\r')
    })
    const [code] = await once(child, 'close')
    assert.equal(code, 0, shown)
    assert.doesNotMatch(shown.replaceAll('typed.key', '').replaceAll('typed.pub', ''), /yped/)
    assert.ok(await openKeyFile(read('typed.key'), 'typed'))
  })
})
