import assert from 'node:assert/strict'
import { sign, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { SealiftError } from '#base/index.ts'
import {
  type CertificateTerms,
  createAuthority,
  formatPem,
  generateKeyPair,
  keyAlgorithms,
  openAuthority,
  parseCertificateRequest,
  parseCertificates,
  publicKeyOf,
} from '../index.ts'
import { bitString, context, der, integer, oid, sequence, smallInteger, tags } from './der.ts'
import { NotDer, readAll, readDer, readOid, readSequence, readSmallInteger } from './der-reader.ts'
import { signatureAlgorithm } from './identifiers.ts'

const from = (text: string) => new Date(`${text}T00:00:00Z`)
const years = { notBefore: from('2026-01-01'), notAfter: from('2036-01-01') }
const year = { notBefore: from('2026-02-01'), notAfter: from('2027-02-01') }
const { privateKey } = await generateKeyPair('ecdsa-p256')
const { publicKey } = await generateKeyPair('ed25519')
const subject = { commonName: 'Test Root', organization: 'Äpfel & Söhne', country: 'DE' }
const terms: CertificateTerms = { ...year, publicKey, usages: ['server'], dnsNames: ['web.shop.example'] }
const refused = { code: 'CERTIFICATE_TERMS_INVALID' }

test('an authority of every algorithm vouches for itself and for what it issues', async () => {
  for (const algorithm of keyAlgorithms) {
    const { privateKey } = await generateKeyPair(algorithm, 2048)
    const root = await createAuthority({ ...years, subject, key: privateKey, pathLength: 1 })
    const names = {
      dnsNames: ['web.shop.example', '*.shop.example'],
      ipAddresses: ['10.1.2.3', '2001:db8::1', '::ffff:1.2.3.4', '::'],
      uris: ['https://shop.example/web'],
      emails: ['ada@shop.example'],
    }
    const leaf = await root.issue({
      ...terms,
      ...names,
      usages: ['server', 'client'],
      subject: { commonName: 'web' },
    })
    const [parsed, authority] = [new X509Certificate(leaf.pem), new X509Certificate(root.certificate.pem)]
    assert.ok(authority.verify(authority.publicKey) && authority.ca)
    assert.ok(parsed.verify(authority.publicKey) && parsed.checkIssued(authority) && !parsed.ca)
    assert.equal(parsed.serialNumber.toLowerCase(), leaf.serial)
    assert.equal(publicKeyOf(parsed.publicKey).id, publicKey.id)
    assert.equal(parsed.checkHost('web.shop.example'), 'web.shop.example')
    assert.equal(parsed.checkHost('web.other.example'), undefined)
    for (const address of names.ipAddresses) assert.equal(parsed.checkIP(address), address)
    assert.equal(parsed.checkEmail('ada@shop.example'), 'ada@shop.example')
    assert.match(parsed.subjectAltName ?? '', /URI:https:\/\/shop\.example\/web/)
    assert.deepEqual(parsed.keyUsage, ['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2'])
    assert.deepEqual([parsed.validFromDate, parsed.validToDate], [year.notBefore, year.notAfter])
  }
})

test('times beyond 2049 are written in their other form, and seconds are whole', async () => {
  const root = await createAuthority({
    subject,
    key: privateKey,
    notBefore: new Date('2049-12-31T23:59:59.999Z'),
    notAfter: from('2050-01-01'),
  })
  const parsed = new X509Certificate(root.certificate.der)
  assert.deepEqual(parsed.validFromDate, new Date('2049-12-31T23:59:59Z'))
  assert.deepEqual(parsed.validToDate, from('2050-01-01'))
})

test('serial numbers come from the given randomness, positive and never short', async () => {
  const random = (bytes: number) => new Uint8Array(bytes).fill(0xff)
  const root = await createAuthority({ ...years, subject, key: privateKey, random })
  assert.equal(root.certificate.serial, `7f${'ff'.repeat(15)}`)
  const zeros = await createAuthority({
    ...years,
    subject,
    key: privateKey,
    random: (n) => new Uint8Array(n),
  })
  assert.equal(zeros.certificate.serial, `40${'00'.repeat(15)}`)
})

test('what would mean nothing, or more than the authority has, is not issued', async () => {
  const root = await createAuthority({ ...years, subject, key: privateKey, pathLength: 1 })
  const { dnsNames: _, ...nameless } = terms
  const wrong: Record<string, CertificateTerms> = {
    'begins before its authority': { ...terms, notBefore: from('2025-12-31') },
    'ends after its authority': { ...terms, notAfter: from('2036-01-02') },
    'ends before it begins': { ...terms, notAfter: year.notBefore },
    'no usage': { ...terms, usages: [] },
    'a server without a name': { ...nameless, subject: { commonName: 'web.shop.example' } },
    'nobody at all': { ...nameless, usages: ['client'] },
    'time stamps and more': { ...terms, usages: ['time-stamping', 'server'] },
    'as long a path as its own': { ...nameless, subject, usages: [], ca: { pathLength: 1 } },
    'a path without an end': { ...nameless, subject, usages: [], ca: {} },
    'an authority without a name': { ...nameless, usages: [], ca: { pathLength: 0 } },
    'an authority that serves': { ...terms, subject, ca: { pathLength: 0 } },
    'a name in upper case': { ...terms, dnsNames: ['Web.shop.example'] },
    'a star in the middle': { ...terms, dnsNames: ['web.*.example'] },
    'a star over a whole zone': { ...terms, dnsNames: ['*.example'] },
    'an address as a name': { ...terms, dnsNames: ['10.0.0.1'] },
    'a zero byte': { ...terms, dnsNames: ['web.shop.example\0.evil.example'] },
    'no address': { ...terms, ipAddresses: ['10.0.0.256'] },
    'an address with a zone': { ...terms, ipAddresses: ['fe80::1%eth0'] },
    'no URI': { ...terms, uris: ['shop'] },
    'no mail': { ...terms, emails: ['ada@'] },
    'a long subject': { ...terms, subject: { commonName: 'x'.repeat(65) } },
    'a country in words': { ...terms, subject: { country: 'Germany' } },
    'control characters': { ...terms, subject: { commonName: 'a\nb' } },
  }
  for (const [what, bad] of Object.entries(wrong)) await assert.rejects(root.issue(bad), refused, what)
  await assert.rejects(createAuthority({ ...years, subject: {}, key: privateKey }), refused)
  await assert.rejects(createAuthority({ ...years, subject, key: privateKey, pathLength: 17 }), refused)
})

test('an authority below another one, opened again from its certificate, keeps to its limits', async () => {
  const root = await createAuthority({ ...years, subject, key: privateKey, pathLength: 1 })
  const { privateKey: key } = await generateKeyPair('ecdsa-p384')
  const constraints = { dnsNames: ['shop.example'], ipRanges: ['10.0.0.0/9', '2001:db8::/33'] }
  const certificate = await root.issue({
    ...year,
    subject: { commonName: 'Below' },
    publicKey: publicKeyOf(key),
    ca: { pathLength: 0, constraints },
  })
  const below = openAuthority(certificate.pem, key)
  const leaf = new X509Certificate((await below.issue(terms)).der)
  assert.ok(leaf.checkIssued(new X509Certificate(certificate.der)))
  await assert.rejects(below.issue({ ...year, subject, publicKey, ca: { pathLength: 0 } }), refused)
  const permitted = {
    dnsNames: ['shop.example', 'a.b.shop.example'],
    ipAddresses: ['10.127.0.1', '2001:db8:7fff::'],
  }
  await below.issue({ ...terms, ...permitted })
  for (const dnsNames of [
    ['notshop.example'],
    ['shop.example.evil'],
    ['example'],
    ['web.shop.example', 'a.other'],
  ]) {
    await assert.rejects(below.issue({ ...terms, dnsNames }), refused, dnsNames.join())
  }
  for (const ipAddresses of [['10.128.0.0'], ['11.0.0.1'], ['2001:db8:8000::'], ['::ffff:10.0.0.1']]) {
    await assert.rejects(below.issue({ ...terms, ipAddresses }), refused, ipAddresses.join())
  }
  assert.throws(() => openAuthority(certificate.pem, privateKey), refused)
  assert.throws(() => openAuthority(leaf.toString(), key), refused)
  assert.throws(() => openAuthority('none', key), { code: 'CERTIFICATE_INVALID' })
  for (const ipRanges of [['10.0.0.0'], ['10.0.0.0/33'], ['::/129'], ['10.0.0.0/-1'], ['x/8']]) {
    await assert.rejects(createAuthority({ ...years, subject, key, constraints: { ipRanges } }), refused)
  }
  await assert.rejects(createAuthority({ ...years, subject, key, constraints: {} }), refused)
})

test('a revocation list needs an end, a number and serials', async () => {
  const root = await createAuthority({ ...years, subject, key: privateKey })
  const good = { number: 1, thisUpdate: year.notBefore, nextUpdate: year.notAfter, revoked: [] }
  assert.match((await root.revocationList(good)).pem, /BEGIN X509 CRL/)
  const entry = { serial: '7f', at: year.notBefore }
  for (const bad of [
    { ...good, nextUpdate: year.notBefore },
    { ...good, number: -1 },
    { ...good, revoked: [{ ...entry, serial: 'xyz' }] },
    { ...good, revoked: [entry, entry] },
  ]) {
    await assert.rejects(root.revocationList(bad), refused)
  }
})

/** A request as a sloppy or hostile sender would make it. */
async function request(
  change: {
    key?: Uint8Array
    algorithm?: Buffer
    version?: number
    attributes?: Buffer
    flip?: boolean
  } = {},
) {
  const pair = await generateKeyPair('ecdsa-p256')
  const body = sequence(
    smallInteger(change.version ?? 0),
    sequence(),
    change.key ?? pair.publicKey.spki,
    change.attributes ?? context(0),
  )
  const signature = sign('sha256', body, pair.privateKey)
  if (change.flip) signature[10]! ^= 1
  return sequence(body, change.algorithm ?? signatureAlgorithm('ecdsa-p256'), bitString(signature))
}

test('a request is taken only from who holds its key', async () => {
  const invalid = { code: 'CERTIFICATE_REQUEST_INVALID' }
  const good = await request()
  assert.deepEqual(parseCertificateRequest(good).subject, {})
  assert.deepEqual(parseCertificateRequest(formatPem('CERTIFICATE REQUEST', good)).dnsNames, [])
  const extension = (value: Buffer) => sequence(oid('2.5.29.17'), der(tags.octetString, value))
  const asking = (...extensions: Buffer[]) =>
    context(0, sequence(oid('1.2.840.113549.1.9.14'), der(tags.set, sequence(...extensions))))
  const named = await request({
    attributes: asking(extension(sequence(der(0x82, Buffer.from('a.example'))))),
  })
  assert.deepEqual(parseCertificateRequest(named).dnsNames, ['a.example'])
  const bad: Record<string, Uint8Array | string> = {
    "another's key": await request({ key: publicKey.spki }),
    'a changed signature': await request({ flip: true }),
    'an algorithm of another key': await request({ algorithm: signatureAlgorithm('rsa') }),
    'SHA-1': await request({ algorithm: sequence(oid('1.2.840.10045.4.1')) }),
    'another version': await request({ version: 1 }),
    'a name twice': await request({ attributes: asking(extension(sequence()), extension(sequence())) }),
    'a zero byte': await request({ attributes: asking(extension(sequence(der(0x82, Buffer.from('a\0b'))))) }),
    'another kind of name': await request({
      attributes: asking(extension(sequence(context(0, oid('1.2.3'))))),
    }),
    'bytes behind': Buffer.concat([good, Buffer.from([0])]),
    'half of it': good.subarray(0, good.length / 2),
    nothing: '',
    'a certificate': formatPem('CERTIFICATE', good),
    'two of them': formatPem('CERTIFICATE REQUEST', good).repeat(2),
    'too large': new Uint8Array(64 * 1024 + 1),
  }
  for (const [what, input] of Object.entries(bad)) {
    assert.throws(() => parseCertificateRequest(input), invalid, what)
  }
})

test('any change of a request is refused with a code, never a fault', async () => {
  const good = await request()
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const changed = Uint8Array.from(good)
      changed[at]! ^= mask
      assert.throws(
        () => parseCertificateRequest(changed),
        (error) =>
          error instanceof SealiftError &&
          /^(CERTIFICATE_REQUEST_INVALID|KEY_TYPE_REFUSED)$/.test(error.code),
      )
    }),
  )
})

test('certificates are read in their order, and nothing among them', async () => {
  const root = await createAuthority({ ...years, subject, key: privateKey })
  const leaf = await root.issue(terms)
  const parsed = parseCertificates(`the chain\n${leaf.pem}${root.certificate.pem}`)
  assert.deepEqual(
    parsed.map(({ serialNumber }) => serialNumber.toLowerCase()),
    [leaf.serial, root.certificate.serial],
  )
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' })
  for (const text of [
    '',
    key,
    `${leaf.pem}${key}`,
    leaf.pem.slice(0, -40),
    formatPem('CERTIFICATE', Buffer.of(1)),
  ]) {
    assert.throws(() => parseCertificates(String(text)), { code: 'CERTIFICATE_INVALID' })
  }
  assert.throws(() => parseCertificates(leaf.pem, 100), { code: 'CERTIFICATE_INVALID' })
})

test('DER: what is written is read the same, and whatever else is read is what would be written', () => {
  const identifier = fc
    .tuple(fc.nat(1), fc.nat(39), fc.array(fc.nat(2 ** 31), { maxLength: 8 }))
    .map(([a, b, rest]) => [a, b, ...rest].join('.'))
  fc.assert(fc.property(identifier, (text) => assert.equal(readOid(readDer(oid(text))), text)))
  fc.assert(
    fc.property(fc.nat(2 ** 31 - 1), (n) => assert.equal(readSmallInteger(readDer(smallInteger(n))), n)),
  )
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), (all) => {
      const read = readSequence(readDer(sequence(...all.map((bytes) => integer(bytes)))))
      assert.equal(read.length, all.length)
    }),
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      try {
        const { tag, content } = readDer(bytes)
        assert.deepEqual(new Uint8Array(der(tag, content)), bytes)
        readAll(content)
      } catch (error) {
        assert.ok(error instanceof NotDer)
      }
    }),
  )
})

test('an authority can say its SPIFFE trust domain, and a certificate where its revocation list is', async () => {
  const uris = ['spiffe://shop.example']
  const root = await createAuthority({ ...years, subject, key: privateKey, pathLength: 1, uris })
  assert.equal(new X509Certificate(root.certificate.der).subjectAltName, 'URI:spiffe://shop.example')
  const below = await root.issue({ ...year, subject, publicKey, uris, ca: { pathLength: 0 } })
  assert.equal(new X509Certificate(below.der).subjectAltName, 'URI:spiffe://shop.example')
  const crlUrls = ['http://a.example/crl', 'https://b.example/crl']
  const text = Buffer.from((await root.issue({ ...terms, crlUrls })).der).toString('latin1')
  for (const url of crlUrls) assert.ok(text.includes(url))
  for (const url of ['ldap://a.example/crl', 'a.example', 'http://a b']) {
    await assert.rejects(root.issue({ ...terms, crlUrls: [url] }), refused, url)
  }
})
