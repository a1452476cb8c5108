// The unmodified guest clients of Confidential Containers, one or two for each version of the protocol, before our key
// broker as it is served.
import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { type NebulaCertificate, parseNebulaPem } from '#broker/nebula/index.ts'
import { type ClockedBroker, clockedBroker, type GuestsBroker, servedBroker } from './brokers.ts'
import { type GuestProgram, guestPrograms, noGuestPrograms, runGuest } from './guest-programs.ts'
import { needs } from './peers.ts'
import { Workbench } from './workbench.ts'

const programs = guestPrograms()
const skip = programs.length === 0 ? noGuestPrograms : false
const bench = new Workbench()
let broker: ClockedBroker
after(async () => {
  await broker?.[Symbol.asyncDispose]()
  await bench[Symbol.asyncDispose]()
})

const one = 'kbs:///default/key/one'
const secret = 'harbour'
const initData = 'algorithm = "sha384"\nversion = "0.1.0"\n\n[data]\n"crew" = "night"\n'
const policy = `package policy

import rego.v1

default allow := false

affirming if every submod in input.submods { submod["ear.status"] == "affirming" }

evidence := input.submods.cpu0["ear.veraison.annotated-evidence"]

allow if {
	affirming
	data.plugin == "resource"
	data["resource-path"][0] == "default"
}

allow if {
	affirming
	data.plugin == "resource"
	data["resource-path"][0] == "night"
	evidence.init_data_claims.crew == "night"
}

allow if {
	affirming
	data.plugin == "nebula-ca"
	data.query.name == evidence.init_data_claims.crew
}
`
const references = { svn: ['1'], launch_digest: ['abcde'], sampledevice_svn: ['2'] }
const configuration = `
rsa1_5: true
nebula:
  name: overlay
  announceHours: 0
  pool: { range: 10.42.0.0/24 }
`

/** Policies, reference values and resources, by the calls that Trustee's own admins make. */
async function furnish(at: GuestsBroker): Promise<void> {
  await at.post('resource-policy', { policy: Buffer.from(policy).toString('base64url') })
  const payload = Buffer.from(JSON.stringify(references)).toString('base64')
  await at.post('reference-value', { version: '0.1.0', type: 'sample', payload })
  for (const repository of ['default', 'night', 'closed']) {
    await at.post(`resource/${repository}/key/one`, secret)
  }
}

before(async () => {
  if (skip) return
  broker = await clockedBroker(['sample', 'sampledevice'], configuration)
  await furnish(broker)
})

const moveClock = (ms: number) => {
  broker.clock.at = new Date(broker.clock.at.getTime() + ms)
}
/** What became of the requests since then: `auth 200`. */
const since = (start: number) => broker.requests.slice(start).map(({ call, status }) => `${call} ${status}`)
const nameOf = ({ name, version }: GuestProgram) => `${name} of ${version}`
const guestOf = (version: string) =>
  programs.find((program) => program.version === version && program.name === 'kbs-guest')

const pemOf = (key: KeyObject) =>
  key.export({ format: 'pem', type: key.asymmetricKeyType === 'rsa' ? 'pkcs1' : 'pkcs8' })

/** A file with a new key, in the form that guests read. */
function teeKeyFile(kind: 'P-256' | 'P-521' | 'RSA'): string {
  const { privateKey } =
    kind === 'RSA'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: kind })
  const file = bench.fresh('tee-key.pem')
  writeFileSync(file, pemOf(privateKey))
  return file
}

for (const program of programs) {
  describe(nameOf(program), () => {
    test('gets a secret', async () => {
      const run = await runGuest(program, { url: broker.url, paths: [one] })
      assert.deepEqual([run.exit, run.got], [0, [secret]], run.said)
    })

    test('is refused by policy, and asks no more', async () => {
      const start = broker.requests.length
      const run = await runGuest(program, { url: broker.url, paths: ['kbs:///closed/key/one'] })
      assert.deepEqual([run.exit, run.got], [1, []])
      assert.match(run.said, /PolicyDeny/)
      assert.doesNotMatch(run.said, /harbour/)
      assert.deepEqual(since(start).slice(-3), ['auth 200', 'attest 200', 'resource 403'])
      // Those that have no session yet ask for the resource first.
      assert.deepEqual(
        since(start)
          .slice(0, -3)
          .filter((step) => step !== 'resource 401'),
        [],
      )
    })

    test('is told what is not there, and asks no more', async () => {
      const start = broker.requests.length
      const run = await runGuest(program, { url: broker.url, paths: ['kbs:///default/key/absent'] })
      assert.equal(run.exit, 1)
      assert.deepEqual(since(start).slice(-3), ['auth 200', 'attest 200', 'resource 404'])
    })
  })
}

for (const program of programs.filter(({ name }) => name === 'kbs-guest')) {
  describe(`${nameOf(program)}, told more`, () => {
    test('attests again when its session has ended', async () => {
      const start = broker.requests.length
      broker.onRequest = ({ call, status }) => {
        if (call === 'resource' && status === 200) moveClock(301_000)
      }
      const run = await runGuest(program, { url: broker.url, paths: [one, one, one] })
      broker.onRequest = () => undefined
      assert.deepEqual([run.exit, run.got], [0, [secret, secret, secret]], run.said)
      const handshake = ['resource 401', 'auth 200', 'attest 200', 'resource 200']
      assert.deepEqual(since(start), [...handshake, ...handshake, ...handshake])
    })

    test('uses its session for more than one resource', async () => {
      const start = broker.requests.length
      const run = await runGuest(program, { url: broker.url, paths: [one, one] })
      assert.deepEqual(run.got, [secret, secret], run.said)
      assert.deepEqual(since(start).slice(-2), ['resource 200', 'resource 200'])
    })

    test('shows a token from before, and a token that has ended only so often', async () => {
      const teeKey = teeKeyFile(program.version < '0.2.0' ? 'RSA' : 'P-256')
      const token = bench.fresh('token.jwt')
      const first = await runGuest(program, { url: broker.url, paths: [], teeKey, saveToken: token })
      assert.equal(first.exit, 0, first.said)
      const start = broker.requests.length
      const run = await runGuest(program, { url: broker.url, paths: [one, one], teeKey, token })
      assert.deepEqual(run.got, [secret, secret], run.said)
      assert.deepEqual(since(start), ['resource 200', 'resource 200'])
      moveClock(301_000)
      const late = await runGuest(program, { url: broker.url, paths: [one], teeKey, token })
      assert.equal(late.exit, 1)
      assert.deepEqual(since(start + 2), ['resource 401', 'resource 401', 'resource 401'])
    })
  })
}

describe('guests with keys of other kinds', () => {
  for (const [version, kind] of [
    ['0.2.0', 'RSA'],
    ['0.4.0', 'P-521'],
    ['0.4.0', 'RSA'],
  ] as const) {
    test(`${kind} in ${version}`, { skip: guestOf(version) ? false : noGuestPrograms }, async () => {
      const teeKey = teeKeyFile(kind)
      const run = await runGuest(guestOf(version)!, { url: broker.url, paths: [one], teeKey })
      assert.deepEqual(run.got, [secret], run.said)
    })
  }

  test('ML-KEM-768 in 0.4.0', { skip: guestOf('0.4.0') ? false : noGuestPrograms }, async () => {
    const algorithm = 'ML-KEM-768+A192KW'
    const run = await runGuest(guestOf('0.4.0')!, { url: broker.url, paths: [one], algorithm })
    assert.deepEqual(run.got, [secret], run.said)
  })
})

describe('guests with evidence of more', { skip: guestOf('0.4.0') ? false : noGuestPrograms }, () => {
  test('a device that is held against reference values', async () => {
    const run = await runGuest(guestOf('0.4.0')!, { url: broker.url, paths: [one], sampleDevice: true })
    assert.deepEqual(run.got, [secret], run.said)
  })

  test('init-data that a policy asks about', async () => {
    const file = bench.path('initdata.toml')
    writeFileSync(file, initData)
    const paths = ['kbs:///night/key/one']
    const run = await runGuest(guestOf('0.4.0')!, { url: broker.url, paths, initData: file })
    assert.deepEqual(run.got, [secret], run.said)
    const without = await runGuest(guestOf('0.4.0')!, { url: broker.url, paths })
    assert.equal(without.exit, 1)
    assert.match(without.said, /PolicyDeny/)
  })

  test('a Nebula identity under the name that the init-data says', async () => {
    const file = bench.path('initdata.toml')
    writeFileSync(file, initData)
    const credential = async (name: string) =>
      await runGuest(guestOf('0.4.0')!, {
        url: broker.url,
        paths: [`kbs+nebula-ca:///credential?name=${name}&ip=10.42.0.7/24`],
        initData: file,
      })
    const run = await credential('night')
    assert.equal(run.exit, 0, run.said)
    const told = JSON.parse(run.got[0]!) as Record<'node_crt' | 'node_key' | 'ca_crt', number[]>
    const [node] = parseNebulaPem(Buffer.from(told.node_crt).toString()) as NebulaCertificate[]
    assert.equal(node!.name, 'night')
    assert.ok(told.node_key.length > 0 && told.ca_crt.length > 0)
    const refused = await credential('day')
    assert.match(refused.said, /PolicyDeny/)
  })
})

test('guests of every version outlive the death of a broker that is served', {
  skip: programs.some(({ name }) => name === 'kbs-guest') ? false : noGuestPrograms,
}, async () => {
  await using served = await servedBroker(bench.path('served'), configuration)
  await furnish(served)
  const guests = programs
    .filter(({ name }) => name === 'kbs-guest')
    .map((program) => ({
      program,
      teeKey: teeKeyFile(program.version < '0.2.0' ? 'RSA' : 'P-256'),
      token: bench.fresh('token.jwt'),
    }))
  let released = 0
  const restarted = new Promise<void>((resolve, reject) => {
    served.onRequest = ({ call, status }) => {
      if (call !== 'resource' || status !== 200) return
      released++
      if (released === guests.length) served.killAndStart().then(resolve, reject)
    }
  })
  // Between two resources there is time for the others to come as far; the broker's return is waited for.
  const runs = await Promise.all(
    guests.map(({ program, teeKey, token }) =>
      runGuest(program, { url: served.url, paths: [one, one], teeKey, saveToken: token, pause: 4 }),
    ),
  )
  assert.ok(released >= guests.length, runs.map(({ said }) => said).join('\n'))
  await restarted
  for (const [at, run] of runs.entries()) {
    assert.deepEqual(run.got, [secret, secret], `${nameOf(guests[at]!.program)}: ${run.said}`)
  }
  const attested = served.requests.filter(({ call, status }) => call === 'attest' && status === 200)
  assert.equal(attested.length, 2 * guests.length)
  // Tokens that the dead process signed are good still.
  for (const { program, teeKey, token } of guests) {
    const run = await runGuest(program, { url: served.url, paths: [one], teeKey, token })
    assert.deepEqual(run.got, [secret], `${nameOf(program)}: ${run.said}`)
  }
})

describe('guests before a broker that does not take them', { skip }, () => {
  test('RSA1_5 that is not switched on, and a TEE that is not', async () => {
    await using strict = await clockedBroker(['sample'])
    await furnish(strict)
    await using closed = await clockedBroker([])
    const tries: Promise<void>[] = []
    for (const program of programs) {
      const run = async (at: GuestsBroker) => {
        const { exit, got, said } = await runGuest(program, { url: at.url, paths: [one] })
        return { isGiven: exit === 0 && got[0] === secret, said }
      }
      tries.push(
        run(strict).then(({ isGiven, said }) => {
          assert.equal(isGiven, program.version >= '0.2.0', said)
        }),
        run(closed).then(({ isGiven, said }) => assert.equal(isGiven, false, said)),
      )
    }
    await Promise.all(tries)
    // Guests give up after a handful of handshakes, whatever they are told.
    for (const { requests } of [strict, closed]) assert.ok(requests.length <= 15 * programs.length)
  })
})

describe('guests over TLS', { ...needs('openssl'), ...(skip && { skip }) }, () => {
  test('get a secret from a broker whose certificate they are given', async () => {
    const [key, certificate] = [bench.path('tls.key'), bench.path('tls.pem')]
    const subject = ['-subj', '/CN=broker', '-addext', 'subjectAltName=IP:127.0.0.1']
    const usage = ['-addext', 'basicConstraints=critical,CA:FALSE', '-addext', 'extendedKeyUsage=serverAuth']
    const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
    await bench.run('openssl', [
      'req',
      '-x509',
      ...made,
      ...subject,
      ...usage,
      '-keyout',
      key,
      '-out',
      certificate,
    ])
    const more = `${configuration}\ntls: { certificate: ${certificate}, key: ${key} }\n`
    await using secure = await clockedBroker(['sample'], more)
    await furnish(secure)
    const attesters = programs.filter(({ name }) => name === 'trustee-attester')
    await Promise.all(
      attesters.map(async (program) => {
        const run = await runGuest(program, { url: secure.url, paths: [one], certificate })
        assert.deepEqual(run.got, [secret], `${nameOf(program)}: ${run.said}`)
        const stranger = await runGuest(program, { url: secure.url, paths: [one] })
        assert.equal(stranger.exit, 1)
      }),
    )
  })
})
