// Our Nebula certificates before nebula-cert (1.10 reads both versions, 1.6 the first), and its certificates and keys before us.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, describe, test } from 'node:test'
import { parseNetwork } from '#broker/leases/index.ts'
import {
  createNebulaAuthority,
  fingerprintOf,
  makeNodeKey,
  type NebulaAuthority,
  type NebulaCurve,
  type NebulaVersion,
  nebulaPem,
  nebulaSigningKeyPem,
  openNebulaAuthority,
  parseNebulaPem,
  parseNebulaSigningKey,
  parseNodePublicKey,
  verifyNebulaCertificate,
} from '#broker/nebula/index.ts'
import { generateKeyPair, privateKeySigner } from '#keys/index.ts'
import { needs } from './peers.ts'
import { Workbench } from './workbench.ts'

const bench = new Workbench()
after(() => bench[Symbol.asyncDispose]())

const day = 86_400_000
const now = Math.floor(Date.now() / 1000) * 1000
const password = 'correct horse'
// What argon2id of nebula-cert's own default (2 GiB) would take is not what this test is about.
const argon = ['-argon-memory', '8192', '-argon-parallelism', '2', '-argon-iterations', '1']
const cost = { kibibytes: 8192, passes: 1, lanes: 2 }
const save = (name: string, text: string) => writeFileSync(bench.path(name), text)
const load = (name: string) => readFileSync(bench.path(name), 'utf8')
const cert = (args: string, exit = 0) =>
  bench.run('nebula-cert', args.split(' '), { cwd: bench.folder, exit })
const old = (args: string, exit = 0) =>
  bench.run('nebula-cert-1.6', args.split(' '), { cwd: bench.folder, exit })

const curves: readonly NebulaCurve[] = ['CURVE25519', 'P256']
const versions: readonly NebulaVersion[] = [1, 2]

async function authorityOf(version: NebulaVersion, curve: NebulaCurve) {
  const pair = await generateKeyPair(curve === 'P256' ? 'ecdsa-p256' : 'ed25519')
  const authority = await createNebulaAuthority({
    version,
    name: 'Überwald',
    networks: [parseNetwork('10.7.0.0/16')],
    unsafeNetworks: [parseNetwork('192.168.0.0/16')],
    groups: ['web', 'db'],
    notBefore: new Date(now - day),
    notAfter: new Date(now + 30 * day),
    signer: privateKeySigner(pair.privateKey),
  })
  return { authority, privateKey: pair.privateKey }
}

async function leafOf(authority: NebulaAuthority, name: string) {
  const key = makeNodeKey(authority.certificate.curve)
  const certificate = await authority.issue({
    name,
    networks: [parseNetwork('10.7.1.2/16')],
    unsafeNetworks: [parseNetwork('192.168.3.0/24')],
    groups: ['web'],
    notBefore: new Date(now - 1000),
    notAfter: new Date(now + day),
    publicKey: key.publicKey,
  })
  return { certificate, key }
}

describe('Nebula certificates and nebula-cert', needs('nebula-cert', 'nebula-cert-1.6'), () => {
  for (const version of versions) {
    for (const curve of curves) {
      const id = `${version}-${curve}`
      test(`version ${version} with ${curve}: ours are verified and printed, many times over`, async () => {
        const { authority } = await authorityOf(version, curve)
        save(`ca-${id}.crt`, nebulaPem(authority.certificate))
        // As many that a signature with a high s, or a number with a leading zero, would be among them.
        for (let i = 0; i < 12; i++) {
          const { certificate } = await leafOf(authority, `node-${i}`)
          save(`leaf-${id}.crt`, nebulaPem(certificate))
          await cert(`verify -ca ca-${id}.crt -crt leaf-${id}.crt`)
          // 1.6 knows neither version 2 nor P-256.
          if (version === 1 && curve === 'CURVE25519')
            await old(`verify -ca ca-${id}.crt -crt leaf-${id}.crt`)
          const { stdout } = await cert(`print -json -path leaf-${id}.crt`)
          const found = JSON.parse(stdout) as { fingerprint: string; details: Record<string, unknown> }[]
          const printed = Array.isArray(found) ? found[0]! : found
          assert.equal(printed.fingerprint, fingerprintOf(certificate))
          assert.deepEqual(printed.details.networks, ['10.7.1.2/16'])
          assert.deepEqual(printed.details.unsafeNetworks, ['192.168.3.0/24'])
          assert.deepEqual([printed.details.name, printed.details.groups], [`node-${i}`, ['web']])
        }
        const { authority: other } = await authorityOf(version, curve)
        save(`other-${id}.crt`, nebulaPem(other.certificate))
        await cert(`verify -ca other-${id}.crt -crt leaf-${id}.crt`, 1)
      })

      test(`version ${version} with ${curve}: theirs are read and verified, and their authority issues here`, async () => {
        const named = curve === 'P256' ? ' -curve P256' : ''
        const limits = '-networks 10.8.0.0/16 -unsafe-networks 192.168.0.0/16 -groups web,db'
        await cert(
          `ca -version ${version} -name theirs${named} ${limits} -out-crt t-${id}.crt -out-key t-${id}.key`,
        )
        const sign = `sign -version ${version} -ca-crt t-${id}.crt -ca-key t-${id}.key -name n -networks 10.8.0.9/16`
        await cert(
          `${sign} -unsafe-networks 192.168.9.0/24 -groups db -out-crt n-${id}.crt -out-key n-${id}.key`,
        )
        const [ca] = parseNebulaPem(load(`t-${id}.crt`))
        const [leaf] = parseNebulaPem(load(`n-${id}.crt`))
        assert.equal(verifyNebulaCertificate(leaf!, [ca!], new Date()), ca)
        assert.equal(nebulaPem(leaf!), load(`n-${id}.crt`))
        assert.deepEqual(leaf!.groups, ['db'])
        const { privateKey } = await parseNebulaSigningKey(load(`t-${id}.key`))
        assert.equal(await nebulaSigningKeyPem(privateKey), load(`t-${id}.key`))
        const authority = openNebulaAuthority(ca!, privateKeySigner(privateKey))
        const key = makeNodeKey(curve)
        const networks = [parseNetwork('10.8.0.10/16')]
        const notBefore = new Date(ca!.notBefore * 1000)
        save(
          `m-${id}.crt`,
          nebulaPem(await authority.issue({ name: 'm', networks, notBefore, publicKey: key.publicKey })),
        )
        await cert(`verify -ca t-${id}.crt -crt m-${id}.crt`)
      })
    }
  }

  for (const curve of curves) {
    test(`${curve}: encrypted keys of authorities open on both sides`, async () => {
      const named = curve === 'P256' ? ['-curve', 'P256'] : []
      const env = { NEBULA_CA_PASSPHRASE: password }
      const files = ['-out-crt', `e-${curve}.crt`, '-out-key', `e-${curve}.key`]
      const at = { cwd: bench.folder, env }
      await bench.run(
        'nebula-cert',
        ['ca', '-version', '1', '-name', 'e', '-encrypt', ...argon, ...named, ...files],
        at,
      )
      const opened = await parseNebulaSigningKey(load(`e-${curve}.key`), Buffer.from(password))
      assert.equal(opened.curve, curve)
      await assert.rejects(parseNebulaSigningKey(load(`e-${curve}.key`), Buffer.from('wrong')), {
        code: 'NEBULA_KEY_REFUSED',
      })
      const seal = { password: Buffer.from(password), cost }
      save(`o-${curve}.key`, await nebulaSigningKeyPem(opened.privateKey, seal))
      const sign = [
        'sign',
        '-ca-crt',
        `e-${curve}.crt`,
        '-ca-key',
        `o-${curve}.key`,
        '-name',
        'n',
        '-networks',
        '10.1.0.1/8',
      ]
      await bench.run(
        'nebula-cert',
        [...sign, '-out-crt', `on-${curve}.crt`, '-out-key', `on-${curve}.key`],
        at,
      )
      await cert(`verify -ca e-${curve}.crt -crt on-${curve}.crt`)
    })

    test(`${curve}: keys of nodes are read on both sides`, async () => {
      await cert(
        `keygen -curve ${curve === 'P256' ? 'P256' : '25519'} -out-key k-${curve}.key -out-pub k-${curve}.pub`,
      )
      assert.equal(parseNodePublicKey(load(`k-${curve}.pub`)).curve, curve)
      const { authority, privateKey } = await authorityOf(1, curve)
      save(`k-ca-${curve}.crt`, nebulaPem(authority.certificate))
      save(`k-ca-${curve}.key`, await nebulaSigningKeyPem(privateKey))
      const sign = `sign -ca-crt k-ca-${curve}.crt -ca-key k-ca-${curve}.key -in-pub k-${curve}.pub`
      await cert(`${sign} -name n -networks 10.7.0.1/16 -out-crt kn-${curve}.crt`)
      const [leaf] = parseNebulaPem(load(`kn-${curve}.crt`))
      verifyNebulaCertificate(leaf!, [authority.certificate], new Date())
    })
  }

  test('1.6: its certificates are read, with its authority we issue what it verifies', async () => {
    await old('ca -name old -ips 10.9.0.0/16 -groups a,b -out-crt old.crt -out-key old.key')
    await old(
      'sign -ca-crt old.crt -ca-key old.key -name n -ip 10.9.0.1/16 -groups a -out-crt oldn.crt -out-key oldn.key',
    )
    const [ca] = parseNebulaPem(load('old.crt'))
    verifyNebulaCertificate(parseNebulaPem(load('oldn.crt'))[0]!, [ca!], new Date())
    const { privateKey } = await parseNebulaSigningKey(load('old.key'))
    const { publicKey } = makeNodeKey('CURVE25519')
    const terms = {
      name: 'm',
      networks: [parseNetwork('10.9.0.2/16')],
      notBefore: new Date(ca!.notBefore * 1000),
      publicKey,
    }
    const authority = openNebulaAuthority(ca!, privateKeySigner(privateKey))
    save('oldm.crt', nebulaPem(await authority.issue(terms)))
    await old('verify -ca old.crt -crt oldm.crt')
    await old('print -json -path oldm.crt')
  })
})
