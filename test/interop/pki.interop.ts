// The broker's PKI before openssl (its requests, our chains and lists, mutual TLS) and go-spiffe (bundles and SVIDs);
// and several replicas over PostgreSQL.
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { generateTeeKey, guestClient } from '#attestation/index.ts'
import type { Pki } from '#broker/pki/index.ts'
import { MemorySecretStore, newKeyring, openPostgresStore, sealedStore } from '#broker/stores/index.ts'
import { parseCertificates } from '#keys/index.ts'
import { startBrokerServer } from '#server/index.ts'
import { brokerScene, fetchOf } from '../support/broker-scene.ts'
import { admin, guest, made, open, request, signal, signed, text } from '../support/pki-scene.ts'
import { testCertificates } from '../support/test-certificates.ts'
import { needs } from './peers.ts'
import { startPostgres } from './postgres.ts'
import { Workbench } from './workbench.ts'

const bench = new Workbench()
after(() => bench[Symbol.asyncDispose]())

const now = () => new Date()
const openssl = (args: string, exit = 0, input?: string) =>
  bench.run('openssl', args.split(' '), { exit, ...(input !== undefined && { input }) })
const save = (name: string, content: string | Uint8Array) => writeFileSync(bench.path(name), content)
const load = (name: string) => readFile(bench.path(name))

const kinds = {
  ed25519: 'ed25519',
  p256: 'ec -pkeyopt ec_paramgen_curve:P-256',
  p384: 'ec -pkeyopt ec_paramgen_curve:P-384',
  rsa: 'rsa -pkeyopt rsa_keygen_bits:2048',
} as const

/** The files with which openssl checks: all roots, all lists. */
async function saveTrust(pki: Pki, at = now()) {
  const all = parseCertificates(await text(pki, 'ca', at))
  save('roots.pem', all.filter((one) => one.checkIssued(one)).join(''))
  save('lists.pem', await text(pki, 'crl.pem', at))
}

const verify = 'verify -x509_strict -crl_check_all -CAfile roots.pem -CRLfile lists.pem -untrusted'

describe('the PKI and openssl', needs('openssl'), () => {
  for (const keys of ['ecdsa-p256', 'ecdsa-p384', 'ed25519', 'rsa-3072'] as const) {
    test(`${keys}: requests that openssl makes are answered with what it verifies, until it is revoked`, async () => {
      const pki = open(new MemorySecretStore(), { keys, crlAddress: 'http://kbs.example/' })
      const csrs = keys === 'ecdsa-p256' ? Object.entries(kinds) : [['p256', kinds.p256] as const]
      for (const [kind, algorithm] of csrs) {
        await openssl(`genpkey -algorithm ${algorithm} -out ${kind}.key`)
        const names = 'subjectAltName=DNS:Web.shop.example,IP:10.1.2.3,IP:2001:db8::7'
        await openssl(`req -new -key ${kind}.key -subj /CN=evil.example -addext ${names} -out request.pem`)
        await openssl('req -in request.pem -outform DER -out request.der')
        const fromPem = await signed(pki, { profile: 'web' }, await load('request.pem'), guest(kind), now())
        const fromDer = await signed(pki, { profile: 'web' }, await load('request.der'), guest(kind), now())
        assert.equal(fromPem.certificate, fromDer.certificate)
        save('leaf.pem', fromPem.certificate)
        save('chain.pem', fromPem.chain)
        await saveTrust(pki)
        for (const flags of [
          '-purpose sslclient',
          '-purpose sslserver -verify_hostname web.shop.example',
          '-verify_ip 10.1.2.3',
          '-verify_ip 2001:db8::7',
        ]) {
          assert.match((await openssl(`${verify} chain.pem ${flags} leaf.pem`)).stdout, /OK/)
        }
        await openssl(`${verify} chain.pem -verify_hostname evil.example leaf.pem`, 2)
        const { stdout } = await openssl('x509 -in leaf.pem -noout -text')
        assert.match(stdout, new RegExp(`URI:spiffe://shop.example/guest/${kind}`))
        assert.match(stdout, /URI:http:\/\/kbs\.example\/kbs\/v0\/pki\/crl\/[0-9a-f]{16}/)
        assert.match(stdout, /X509v3 Key Usage: critical\s+Digital Signature/)
        assert.doesNotMatch(stdout, /evil/)
        await openssl(`req -in request.pem -noout -verify`)
      }
      const serial = new X509Certificate(await load('leaf.pem')).serialNumber.toLowerCase()
      await admin(pki, 'DELETE', `pki/issued/${serial}`, { query: { reason: 'superseded' } }, now())
      await saveTrust(pki)
      assert.match((await openssl(`${verify} chain.pem leaf.pem`, 2)).stderr, /certificate revoked/)
      const list = await pki.plugin.handle(request('GET', 'crl'), now(), signal)
      save('list.der', list.body)
      save('intermediate.pem', (await pki.authorities(now())).intermediates[0].authority.certificate.pem)
      const shown = await openssl(
        'crl -inform DER -in list.der -noout -text -verify -CAfile intermediate.pem',
      )
      assert.match(shown.stderr, /verify OK/)
      assert.match(shown.stdout, /Superseded/)
      assert.match(shown.stdout, new RegExp(`Serial Number: ${serial.toUpperCase()}`))
    })
  }

  test('keys that are made here are read by openssl', async () => {
    for (const keys of ['ecdsa-p256', 'ed25519', 'rsa-3072'] as const) {
      const pki = open(new MemorySecretStore(), { keys })
      const answer = await made(pki, { profile: 'guest' }, guest(), now())
      save('made.key', answer.key!)
      save('made.pem', answer.certificate)
      await openssl('pkey -in made.key -noout -check')
      const [ofKey, ofCertificate] = await Promise.all([
        openssl('pkey -in made.key -pubout'),
        openssl('x509 -in made.pem -noout -pubkey'),
      ])
      assert.equal(ofKey.stdout, ofCertificate.stdout)
    }
  })

  test('old and new are verified during a rotation, and a new root by who knows the old one alone', async () => {
    const pki = open(new MemorySecretStore())
    const old = await made(pki, { profile: 'guest' }, guest(), now())
    await saveTrust(pki)
    const oldRoots = await load('roots.pem')
    await pki.rotate({}, now())
    const next = await made(pki, { profile: 'guest' }, guest('bob'), now())
    await pki.rotate({ root: true }, now())
    const last = await made(pki, { profile: 'guest' }, guest('eve'), now())
    await saveTrust(pki)
    for (const { certificate, chain } of [old, next, last]) {
      save('leaf.pem', certificate)
      save('chain.pem', chain)
      assert.match((await openssl(`${verify} chain.pem leaf.pem`)).stdout, /OK/)
    }
    save('roots.pem', oldRoots)
    const shown = await openssl(`${verify} chain.pem -show_chain leaf.pem`)
    assert.match(shown.stdout, /depth=3/)
    // Whoever begins with the new root knows that one alone.
    const [newest] = (await pki.authorities(now())).roots
    save('roots.pem', newest!.authority.certificate.pem)
    assert.match((await openssl(`${verify} chain.pem -show_chain leaf.pem`)).stdout, /depth=2/)
    save('leaf.pem', old.certificate)
    save('chain.pem', old.chain)
    await openssl(`${verify} chain.pem leaf.pem`, 2)
    await pki.rotate({ distrust: true }, now())
    save('leaf.pem', last.certificate)
    save('chain.pem', last.chain)
    await saveTrust(pki)
    await openssl(`${verify} chain.pem leaf.pem`, 2)
  })

  test('mutual TLS: openssl shows its certificate, and is told who it is', async () => {
    const pki = open(new MemorySecretStore())
    save('ca.pem', await text(pki, 'ca', now()))
    const port = await listen(pki)
    const ask = async (name: string) => {
      const files = `-cert ${name}.pem -key ${name}.key -cert_chain ${name}-chain.pem`
      const trust = '-CAfile ca.pem -verify_return_error -verify_hostname kbs.shop.example'
      const args = `s_client -quiet -connect 127.0.0.1:${port} -servername kbs.shop.example ${files} ${trust}`
      const { stdout } = await openssl(args, 0, 'GET / HTTP/1.0\r\nConnection: close\r\n\r\n')
      return JSON.parse(stdout.slice(stdout.indexOf('\r\n\r\n')))
    }
    saveGuest('ada', await made(pki, { profile: 'guest' }, guest('ada'), now()))
    const caller = await ask('ada')
    assert.deepEqual([caller.kind, caller.identity], ['certificate', 'ada'])
    assert.equal(caller.claims.certificate.spiffe, 'spiffe://shop.example/guest/ada')
    assert.deepEqual(caller.claims.attested.status, { cpu0: 'affirming' })
    const others = open(new MemorySecretStore())
    saveGuest('stranger', await made(others, { profile: 'guest' }, guest('ada'), now()))
    assert.equal(await ask('stranger'), null)
    await admin(pki, 'PUT', 'pki/holders/ada', {}, now())
    assert.equal(await ask('ada'), null)
  })
})

describe('the PKI and go-spiffe', needs('spiffe-peer'), () => {
  const spiffe = (args: string, exit = 0) => bench.run('spiffe-peer', args.split(' '), { exit })

  test('it takes the bundle and every kind of SVID, before and after a rotation of the root', async () => {
    for (const keys of ['ecdsa-p256', 'ecdsa-p384', 'ed25519', 'rsa-3072'] as const) {
      const pki = open(new MemorySecretStore(), { keys })
      // An identity that cannot be a path gets one of its own.
      const answers = [await made(pki, { profile: 'web', dns: 'a.shop.example' }, guest('ada/Ä'), now())]
      await pki.rotate({ root: true }, now())
      answers.push(await made(pki, { profile: 'guest' }, guest(), now()))
      save('bundle.json', await text(pki, 'bundle', now()))
      const ids: string[] = []
      for (const { certificate, chain } of answers) {
        save('chain.pem', certificate + chain)
        ids.push((await spiffe('verify shop.example bundle.json chain.pem')).stdout.trim())
        await spiffe('verify other.example bundle.json chain.pem', 1)
      }
      assert.match(ids[0]!, /^spiffe:\/\/shop\.example\/guest\/sha256-[0-9a-f]{64}$/)
      assert.equal(ids[1], 'spiffe://shop.example/guest/ada')
      // The other of two kinds of trust: a domain that knows only another PKI.
      save('bundle.json', await text(open(new MemorySecretStore(), { keys }), 'bundle', now()))
      await spiffe('verify shop.example bundle.json chain.pem', 1)
    }
  })

  test('mutual TLS by SPIFFE IDs alone', async () => {
    const pki = open(new MemorySecretStore())
    const port = await listen(pki)
    save('bundle.json', await text(pki, 'bundle', now()))
    const answer = await made(pki, { profile: 'guest' }, guest('ada'), now())
    saveGuest('ada', { ...answer, certificate: answer.certificate + answer.chain })
    const ask = (id: string, exit = 0) =>
      spiffe(`get shop.example bundle.json ada.pem ada.key https://127.0.0.1:${port}/ ${id}`, exit)
    const caller = JSON.parse((await ask('spiffe://shop.example/guest/broker')).stdout)
    assert.equal(caller.claims.certificate.spiffe, 'spiffe://shop.example/guest/ada')
    await ask('spiffe://shop.example/guest/eve', 1)
  })
})

/** A server with a certificate of its own that tells who asks. @returns its port */
async function listen(pki: Pki): Promise<number> {
  const { key, certificate, chain } = await made(
    pki,
    { profile: 'web', dns: 'kbs.shop.example' },
    guest('broker'),
    now(),
  )
  const listener = createServer(
    // As the broker's own listener: any certificate is let in, and judged by who knows what was issued.
    { key: key!, cert: certificate + chain, requestCert: true, rejectUnauthorized: false },
    (asked, answer) => {
      const { raw } = (asked.socket as TLSSocket).getPeerCertificate()
      const told = raw ? pki.certificateCaller(raw, now()) : Promise.resolve(undefined)
      told.then((caller) => answer.end(JSON.stringify(caller ?? null)))
    },
  ).listen(0, '127.0.0.1')
  await once(listener, 'listening')
  bench.onClose(async () => listener.close())
  return (listener.address() as AddressInfo).port
}

function saveGuest(name: string, answer: { key?: string; certificate: string; chain: string }): void {
  save(`${name}.key`, answer.key!)
  save(`${name}.pem`, answer.certificate)
  save(`${name}-chain.pem`, answer.chain)
}

const brokerPolicy = `package policy

import rego.v1

allow if {
	data.plugin == "pki"
	input.submods.cpu0["ear.status"] == "affirming"
}

allow if {
	data.plugin == "resource"
	input.certificate.spiffe
	input.attested.status.cpu0 == "affirming"
}
`

describe('a broker and openssl', needs('openssl'), () => {
  test('a certificate of its PKI stands for a session in mutual TLS, until it is revoked', async () => {
    await using scene = await brokerScene((yaml) => {
      const place = 'place: { kind: sqlite, path: secrets.sqlite }'
      const store = yaml.replace(place, `${place}\n      verbs: { read: [guest, certificate] }`)
      return `${store}\npki: { trustDomain: shop.example, clientCertificates: true }\n`
    })
    const { ca, server, serverKey } = testCertificates
    for (const [name, content] of Object.entries({ 'cert.pem': server, 'key.pem': serverKey }))
      writeFileSync(join(scene.directory, name), content)
    save('server-ca.pem', ca)
    const { admin: _, ...configuration } = scene.broker.configuration
    const tls = { certificate: 'cert.pem', key: 'key.pem' }
    const options = { ...scene.broker, configuration: { ...configuration, tls }, log: () => {} }
    await using listening = await startBrokerServer(options, '127.0.0.1:0')
    for (const [name, value] of Object.entries({ svn: ['1'], launch_digest: ['abcde'] }))
      await scene.admin('PUT', `references/${name}`, { value })
    await scene.admin('POST', 'kbs:resource/default/key/one', Buffer.from('a secret of many words'))
    await scene.admin('PUT', 'policies/resource', { files: [{ path: 'policy.rego', text: brokerPolicy }] })
    const body = 'version = "0.1.0"\nalgorithm = "sha256"\n[data]\n"crew" = "night"\n'
    const attested = guestClient({
      url: 'http://broker.test',
      keyPair: await generateTeeKey('P-256'),
      initData: { format: 'toml', body },
      fetch: fetchOf(scene.face),
    })
    saveGuest('crew', JSON.parse(Buffer.from(await attested.get('pki/certificate?profile=guest')).toString()))
    const { host } = new URL(listening.guestUrl)
    const ask = async (path: string, files = '-cert crew.pem -key crew.key -cert_chain crew-chain.pem') => {
      const args = `s_client -quiet -connect ${host} ${files} -CAfile server-ca.pem -verify_return_error`
      const head = `GET /kbs/v0/${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`
      const { stdout } = await openssl(args.replaceAll(/ +/g, ' '), 0, head)
      return { status: Number(stdout.split(' ')[1]), text: stdout.slice(stdout.indexOf('\r\n\r\n') + 4) }
    }
    const one = 'resource/default/key/one'
    assert.deepEqual(await ask(one), { status: 200, text: 'a secret of many words' })
    assert.equal((await ask(one, '')).status, 401)
    assert.equal((await ask('pki/certificate?profile=guest')).status, 403)
    save('roots.pem', (await ask('pki/ca', '')).text)
    save('lists.pem', (await ask('pki/crl.pem', '')).text)
    const check = 'verify -crl_check -CAfile roots.pem -CRLfile lists.pem -untrusted crew-chain.pem crew.pem'
    assert.match((await openssl(check)).stdout, /OK/)
    const serial = new X509Certificate(await load('crew.pem')).serialNumber.toLowerCase()
    assert.equal((await scene.admin('DELETE', `pki/issued/${serial}`)).status, 200)
    assert.equal((await ask(one)).status, 401)
    save('lists.pem', (await ask('pki/crl.pem', '')).text)
    assert.match((await openssl(check, 2)).stderr, /certificate revoked/)
  })
})

describe('the PKI in PostgreSQL', needs('openssl', 'pg_ctl', 'psql'), () => {
  test('three replicas have one authority, one list, and give one name to one of two guests', async () => {
    await using server = await startPostgres()
    const keyring = newKeyring()
    const stores = await Promise.all([1, 2, 3].map(() => openPostgresStore(server.url)))
    try {
      const replicas = stores.map((store) => open(sealedStore(store, keyring), {}, { refreshMs: 1000 }))
      const at = now()
      const bundles = await Promise.all(replicas.map((pki) => text(pki, 'ca', at)))
      assert.equal(new Set(bundles).size, 1)
      const same = await Promise.all(replicas.map((pki) => made(pki, { profile: 'guest' }, guest(), at)))
      assert.equal(new Set(same.map(({ certificate }) => certificate)).size, 1)
      const many = await Promise.all(
        Array.from({ length: 60 }, (_, n) =>
          made(replicas[n % 3]!, { profile: 'web', dns: `a${n}.shop.example` }, guest(`g${n % 10}`), at),
        ),
      )
      assert.equal(new Set(many.map(({ x509 }) => x509.serialNumber)).size, 60)
      const own = { profile: 'own', dns: 'db.own.example' }
      const rivals = await Promise.allSettled(
        replicas.map((pki, n) => made(pki, own, guest(`rival${n}`), at)),
      )
      assert.equal(rivals.filter(({ status }) => status === 'fulfilled').length, 1)
      const later = new Date(at.getTime() + 2000)
      await Promise.all(
        many.slice(0, 9).map(({ x509 }, n) => {
          const serial = x509.serialNumber.toLowerCase()
          return admin(replicas[n % 3]!, 'DELETE', `pki/issued/${serial}`, {}, later)
        }),
      )
      const end = new Date(at.getTime() + 4000)
      const lists = await Promise.all(replicas.map((pki) => text(pki, 'crl.pem', end)))
      assert.equal(new Set(lists).size, 1)
      await saveTrust(replicas[0]!, end)
      for (const [n, { certificate, chain }] of many.entries()) {
        if (n > 12) break
        save('leaf.pem', certificate)
        save('chain.pem', chain)
        const command = `${verify} chain.pem -attime ${Math.ceil(end.getTime() / 1000)} leaf.pem`
        if (n < 9) assert.match((await openssl(command, 2)).stderr, /certificate revoked/)
        else await openssl(command)
      }
    } finally {
      for (const store of stores) await store[Symbol.asyncDispose]?.()
    }
  })
})
