// Certificates, chains, revocation lists and requests of ours before openssl, and its requests before us.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import {
  type CertificateAuthority,
  createAuthority,
  generateKeyPair,
  keyAlgorithms,
  openAuthority,
  parseCertificateRequest,
  publicKeyOf,
} from '#keys/index.ts'
import { needs } from './peers.ts'
import { Workbench } from './workbench.ts'

const bench = new Workbench()
after(() => bench[Symbol.asyncDispose]())

const day = 86_400_000
const now = Date.now()
const lasting = (days: number) => ({ notBefore: new Date(now - day), notAfter: new Date(now + days * day) })
const openssl = (args: string, exit = 0) => bench.run('openssl', args.split(' '), { exit })
const save = (name: string, text: string) => writeFileSync(bench.path(name), text)

describe('certificates and openssl', needs('openssl'), () => {
  let root: CertificateAuthority
  let below: CertificateAuthority
  before(async () => {
    const { privateKey } = await generateKeyPair('ecdsa-p384')
    const subject = { country: 'DE', organization: 'Äpfel & Söhne', commonName: 'Root' }
    root = await createAuthority({ ...lasting(30), subject, key: privateKey, pathLength: 1 })
    const pair = await generateKeyPair('rsa', 2048)
    const constraints = { dnsNames: ['shop.example'], ipRanges: ['10.0.0.0/8', 'fd00::/8'] }
    const certificate = await root.issue({
      ...lasting(20),
      subject: { commonName: 'Below' },
      publicKey: pair.publicKey,
      ca: { pathLength: 0, constraints },
    })
    below = openAuthority(certificate.pem, pair.privateKey)
    save('root.pem', root.certificate.pem)
    save('below.pem', below.certificate.pem)
  })

  test('a chain of three is verified in its strictest way, for its purpose and names', async () => {
    const { publicKey } = await generateKeyPair('ed25519')
    const names = { dnsNames: ['web.shop.example'], ipAddresses: ['10.1.2.3', 'fd00::1'] }
    save('leaf.pem', (await below.issue({ ...lasting(10), publicKey, usages: ['server'], ...names })).pem)
    const verify = 'verify -x509_strict -CAfile root.pem -untrusted below.pem'
    const good = [
      '-purpose sslserver',
      '-verify_hostname web.shop.example',
      '-verify_ip 10.1.2.3',
      '-verify_ip fd00::1',
    ]
    for (const flags of good) assert.match((await openssl(`${verify} ${flags} leaf.pem`)).stdout, /OK/)
    await openssl(`${verify} -purpose sslclient leaf.pem`, 2)
    await openssl(`${verify} -verify_hostname web.other.example leaf.pem`, 2)
    const { stdout } = await openssl('x509 -in leaf.pem -noout -text')
    assert.match(
      stdout,
      /X509v3 Subject Alternative Name: critical\s+DNS:web\.shop\.example, IP Address:10\.1\.2\.3/,
    )
    assert.match(stdout, /X509v3 Key Usage: critical\s+Digital Signature\n/)
    const shown = await openssl('x509 -in root.pem -noout -subject -nameopt RFC2253,-esc_msb,utf8')
    assert.match(shown.stdout, /CN=Root,O=Äpfel & Söhne,C=DE/)
  })

  test('every algorithm signs what openssl verifies, for every usage', async () => {
    const purposes = {
      server: 'sslserver',
      client: 'sslclient',
      'code-signing': 'any',
      'time-stamping': 'timestampsign',
      ocsp: 'ocsphelper',
      email: 'smimesign',
    } as const
    for (const algorithm of keyAlgorithms) {
      const { privateKey, publicKey } = await generateKeyPair(algorithm, 2048)
      const authority = await createAuthority({
        ...lasting(2),
        subject: { commonName: algorithm },
        key: privateKey,
      })
      save('authority.pem', authority.certificate.pem)
      for (const [usage, purpose] of Object.entries(purposes)) {
        const terms = {
          ...lasting(1),
          publicKey,
          dnsNames: ['a.example'],
          emails: ['ada@a.example'],
          subject: { commonName: 'a' },
        }
        save(
          'issued.pem',
          (await authority.issue({ ...terms, usages: [usage as keyof typeof purposes] })).pem,
        )
        await openssl(`verify -x509_strict -CAfile authority.pem -purpose ${purpose} issued.pem`)
      }
    }
  })

  test('a revoked certificate is refused by its list, another is not', async () => {
    const { publicKey } = await generateKeyPair('ecdsa-p256')
    const terms = { ...lasting(10), publicKey, usages: ['client'] as const, dnsNames: ['a.shop.example'] }
    const [revoked, kept] = [await below.issue(terms), await below.issue(terms)]
    save('revoked.pem', revoked.pem)
    save('kept.pem', kept.pem)
    const times = { thisUpdate: new Date(now - 1000), nextUpdate: new Date(now + day) }
    const entry = { serial: revoked.serial, at: new Date(now - 1000), reason: 'key-compromise' as const }
    save('list.pem', (await below.revocationList({ number: 258, ...times, revoked: [entry] })).pem)
    save('empty.pem', (await below.revocationList({ number: 257, ...times, revoked: [] })).pem)
    const { stdout } = await openssl('crl -in list.pem -noout -text -CAfile below.pem')
    assert.match(stdout, /Key Compromise/)
    assert.match(stdout, /X509v3 CRL Number:\s+(258|0x0102)/)
    for (const list of ['list.pem', 'empty.pem']) {
      assert.match((await openssl(`crl -in ${list} -noout -verify -CAfile below.pem`)).stderr, /verify OK/)
    }
    const verify = 'verify -crl_check -CAfile root.pem -untrusted below.pem -CRLfile'
    await openssl(`${verify} list.pem kept.pem`)
    await openssl(`${verify} empty.pem revoked.pem`)
    assert.match((await openssl(`${verify} list.pem revoked.pem`, 2)).stderr, /revoked/)
  })

  test('its requests are read, of every kind of key, and answered', async () => {
    const kinds = [
      'ed25519',
      'ec -pkeyopt ec_paramgen_curve:P-256',
      'ec -pkeyopt ec_paramgen_curve:P-384',
      'ec -pkeyopt ec_paramgen_curve:P-521',
      'rsa -pkeyopt rsa_keygen_bits:2048',
    ]
    for (const kind of kinds) {
      await openssl(`genpkey -algorithm ${kind} -out request.key`)
      const san =
        'subjectAltName=DNS:web.shop.example,IP:10.0.0.1,IP:fd00::7,URI:spiffe://shop/web,email:ada@shop.example'
      await openssl(`req -new -key request.key -subj /C=DE/O=Shop/CN=web -addext ${san} -out request.pem`)
      await openssl('req -in request.pem -noout -verify')
      const request = parseCertificateRequest(await readFile(bench.path('request.pem'), 'utf8'))
      assert.deepEqual(request.subject, { country: 'DE', organization: 'Shop', commonName: 'web' })
      assert.deepEqual(request.ipAddresses, ['10.0.0.1', 'fd00::7'])
      assert.deepEqual([request.uris, request.emails], [['spiffe://shop/web'], ['ada@shop.example']])
      const { pem } = await below.issue({ ...lasting(5), ...request, usages: ['server', 'client'] })
      save('answer.pem', pem)
      await openssl('verify -x509_strict -CAfile root.pem -untrusted below.pem answer.pem')
      const { stdout } = await openssl('pkey -in request.key -pubout')
      assert.equal(publicKeyOf(request.publicKey.key).id, request.publicKey.id)
      assert.equal(request.publicKey.key.export({ type: 'spki', format: 'pem' }), stdout)
    }
  })

  test('an authority that openssl made issues here', async () => {
    await openssl(
      'req -x509 -newkey rsa:2048 -nodes -subj /CN=Theirs -days 30 -keyout theirs.key -out theirs.pem',
    )
    const { parsePrivateKey } = await import('#keys/index.ts')
    const [certificate, key] = await Promise.all(
      ['theirs.pem', 'theirs.key'].map((name) => readFile(bench.path(name), 'utf8')),
    )
    const theirs = openAuthority(certificate!, parsePrivateKey(key!))
    const { publicKey } = await generateKeyPair('ecdsa-p256')
    const times = { notBefore: theirs.validity.notBefore, notAfter: new Date(now + day) }
    save(
      'ours.pem',
      (await theirs.issue({ ...times, publicKey, usages: ['server'], dnsNames: ['a.example'] })).pem,
    )
    await openssl('verify -CAfile theirs.pem -purpose sslserver ours.pem')
  })
})
