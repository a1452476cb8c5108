// Three key brokers over one real PostgreSQL, as users start them: killed, started again, the database restarted, and
// nothing in the memory of any of them matters. And one on SQLite that is killed.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import type { KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { after, describe, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { type GuestClient, generateTeeKey, guestClient, type TeeKeyPair } from '#attestation/index.ts'
import { isFailure, type Json } from '#base/index.ts'
import { adminToken } from '#broker/index.ts'
import { openKeyFile } from '#keys/index.ts'
import { identityOf } from '../../src/broker/identity.ts'
import { needs } from './peers.ts'
import { type PostgresServer, startPostgres } from './postgres.ts'
import { sealiftProgram, Workbench } from './workbench.ts'

const bench = new Workbench()
after(() => bench[Symbol.asyncDispose]())
const password = 'correct horse battery'
const env = { SEALIFT_PASSWORD: password }
const issuer = 'https://broker.example'
const secret = Buffer.from('the key of the hold')
const switchedOn = `
nebula:
  name: overlay
  pool: { range: 10.42.0.0/16 }
pki:
  trustDomain: broker.example
limits:
  requestsPerSecond: 0
`

/** One process of a broker, which may be killed and started again. */
class Served {
  readonly #directory: string
  #child: ChildProcess | undefined
  #urls: { readonly url: string; readonly adminUrl: string } | undefined
  constructor(directory: string) {
    this.#directory = directory
  }
  get isUp(): boolean {
    return this.#urls !== undefined
  }
  get url(): string {
    return this.#urls!.url
  }
  get adminUrl(): string {
    return this.#urls!.adminUrl
  }
  async start(): Promise<void> {
    const args = ['broker', 'serve', this.#directory, '--listen', '127.0.0.1:0', '-o', 'json']
    const child = spawn(sealiftProgram, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const said = text(child.stderr)
    const ended = once(child, 'exit').then(async () => Promise.reject(new Error(await said)))
    ended.catch(() => undefined)
    const line = once(createInterface({ input: child.stdout }), 'line') as Promise<[string]>
    this.#child = child
    this.#urls = JSON.parse((await Promise.race([line, ended]))[0])
  }
  /** No time to say anything to anybody. */
  async kill(): Promise<void> {
    const gone = once(this.#child!, 'exit')
    this.#urls = undefined
    this.#child!.kill('SIGKILL')
    await gone
  }
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child?.exitCode !== null || this.#child.signalCode !== null) return
    const gone = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    await gone
  }
}

/** What one guest got in a round. */
interface Answer {
  readonly node: string
  readonly certificate: string
}

/** A guest of its own identity. Each of its requests goes to another replica; one that is gone is left out. */
class Guest {
  readonly name: string
  readonly #client: GuestClient
  readonly answers: Answer[] = []
  readonly #replicas: readonly Served[]
  #turn: number
  /** Requests that no connection carried, and that were sent to another replica. */
  moved = 0

  private constructor(at: number, replicas: readonly Served[], keyPair: TeeKeyPair) {
    this.name = `guest-${at}`
    this.#turn = at
    this.#replicas = replicas
    const body = `version = "0.1.0"\nalgorithm = "sha384"\n\n[data]\nname = "${this.name}"\n`
    this.#client = guestClient({
      url: 'http://replicas',
      keyPair,
      initData: { format: 'toml', body },
      fetch: (input, init) => this.#send(String(input), init),
    })
  }
  static async of(at: number, replicas: readonly Served[]): Promise<Guest> {
    return new Guest(at, replicas, await generateTeeKey('P-256'))
  }
  attest(): Promise<string> {
    return this.#client.attest()
  }
  get(path: string): Promise<Uint8Array> {
    return this.#client.get(path)
  }
  /** A handshake, and one of each kind. */
  async round(): Promise<void> {
    await this.attest()
    assert.deepEqual(Buffer.from(await this.get('resource/default/key/one')), secret)
    const node = JSON.parse(Buffer.from(await this.get(`nebula-ca/credential?name=${this.name}`)).toString())
    const made = Buffer.from(await this.get('pki/certificate?profile=guest')).toString()
    this.answers.push({ node: Buffer.from(node.node_crt).toString(), certificate: made })
  }

  async #send(input: string, init: RequestInit | undefined): Promise<Response> {
    for (let failures = 0; ; failures++) {
      const living = this.#replicas.filter(({ isUp }) => isUp)
      const { url } = living[this.#turn++ % living.length]!
      try {
        const response = await fetch(input.replace('http://replicas', url), init)
        const { status, headers } = response
        // Whole, or not at all: a replica may be killed in the middle of its answer.
        return new Response(await response.arrayBuffer(), { status, headers })
      } catch (error) {
        if (failures === 5) throw error
        this.moved++
        await setTimeout(20)
      }
    }
  }
}

/** The owner of a broker, who asks one of its processes. */
class Owner {
  readonly #key: KeyObject
  constructor(key: KeyObject) {
    this.#key = key
  }
  async ask(broker: Served, method: string, path: string, body?: unknown): Promise<Response> {
    const token = adminToken({ privateKey: this.#key, audience: issuer })
    return fetch(`${broker.adminUrl}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(body !== undefined && {
        body: Buffer.from(body instanceof Uint8Array ? body : JSON.stringify(body)),
      }),
    })
  }
  async json<T>(broker: Served, method: string, path: string, body?: unknown): Promise<T> {
    const response = await this.ask(broker, method, path, body)
    const said = await response.text()
    assert.equal(response.status, 200, `${method} ${path}: ${said}`)
    return JSON.parse(said || 'null') as T
  }
  /** Reference values of the sample TEE, a resource. */
  async prepare(broker: Served): Promise<void> {
    for (const [name, value] of Object.entries({ svn: ['1'], launch_digest: ['abcde'] }))
      await this.json(broker, 'PUT', `/admin/v1/references/${name}`, { value })
    await this.json(broker, 'POST', '/kbs/v0/resource/default/key/one', secret)
  }
}

const init = async (directory: string, ...more: readonly string[]): Promise<Owner> => {
  const listen = ['--listen', '127.0.0.1:0', '--admin-listen', '127.0.0.1:0']
  await bench.sealift(['broker', 'init', directory, '--sample', ...listen, ...more], { env })
  appendFileSync(join(directory, 'broker.yaml'), switchedOn)
  return new Owner(await openKeyFile(readFileSync(join(directory, 'admin.key'), 'utf8'), password))
}

const until = async (what: string, isSo: () => boolean | Promise<boolean>, ms = 30_000): Promise<number> => {
  const begun = performance.now()
  while (!(await isSo())) {
    assert.ok(performance.now() - begun < ms, what)
    await setTimeout(20)
  }
  return performance.now() - begun
}

/** Guests that go on until they are told to stop, whatever happens to the replicas. */
class Crowd {
  readonly guests: readonly Guest[]
  #isOver = false
  readonly #running: Promise<unknown>
  constructor(guests: readonly Guest[]) {
    this.guests = guests
    this.#running = Promise.all(
      guests.map(async (guest) => {
        while (!this.#isOver) await guest.round()
      }),
    )
    this.#running.catch(() => undefined)
  }
  get rounds(): number {
    return this.guests.reduce((sum, { answers }) => sum + answers.length, 0)
  }
  /** Every guest does so many rounds from now on. */
  async goesOn(rounds: number): Promise<void> {
    const before = this.guests.map(({ answers }) => answers.length)
    const all = until('every guest goes on', () =>
      this.guests.every(({ answers }, at) => answers.length >= before[at]! + rounds),
    )
    await Promise.race([all, this.#running.then(() => all)])
  }
  async stops(): Promise<void> {
    this.#isOver = true
    await this.#running
  }
}

describe('replicas of the key broker', needs('pg_ctl'), () => {
  test('whatever is killed, guests go on, and nothing that was answered is lost', async (t) => {
    await using database = await startPostgres()
    const directory = bench.fresh('broker')
    const owner = await init(directory, '--postgres', database.url)
    await using a = new Served(directory)
    await using b = new Served(directory)
    await using c = new Served(directory)
    const replicas = [a, b, c]
    await Promise.all(replicas.map((replica) => replica.start()))
    await owner.prepare(a)
    await setTimeout(1200)
    const guests = await Promise.all(Array.from({ length: 24 }, (_, at) => Guest.of(at, replicas)))
    const crowd = new Crowd(guests)
    await crowd.goesOn(1)

    const [begun, before] = [performance.now(), crowd.rounds]
    await crowd.goesOn(4)
    const perSecond = ((crowd.rounds - before) / (performance.now() - begun)) * 1000
    t.diagnostic(
      `${perSecond.toFixed(0)} rounds of a handshake and three releases a second, over three replicas`,
    )

    await a.kill()
    await crowd.goesOn(2)
    await a.start()
    await crowd.goesOn(2)
    await b.kill()
    await crowd.goesOn(2)
    await crowd.stops()
    const moved = guests.reduce((sum, guest) => sum + guest.moved, 0)
    t.diagnostic(`${crowd.rounds} rounds, ${moved} requests sent to another replica`)
    assert.ok(moved > 0, 'a replica was killed in the middle of requests')

    await sameCredentials(owner, c, guests)

    // The token of a replica that is gone.
    const lone = await Guest.of(100, [c])
    const token = await lone.attest()
    await c.kill()
    const bearer = { headers: { authorization: `Bearer ${token}` } }
    const shown = await fetch(`${a.url}/kbs/v0/resource/default/key/one`, bearer)
    assert.equal(shown.status, 200, await shown.text())
    await Promise.all([b.start(), c.start()])

    const keysOf = async ({ url }: Served) =>
      ((await (await fetch(`${url}/.well-known/jwks.json`)).json()) as { keys: { kid: string }[] }).keys
    const old = await keysOf(a)
    await owner.json(c, 'POST', '/admin/v1/token-keys/rotate')
    for (const replica of replicas)
      await until('the next key is everywhere', async () => (await keysOf(replica)).length > old.length, 2000)

    const deny = 'package policy\n\nimport rego.v1\n\ndefault allow := false\n'
    await owner.json(a, 'PUT', '/admin/v1/policies/resource', { files: [{ path: 'p.rego', text: deny }] })
    for (const replica of replicas) {
      const guest = await Guest.of(101, [replica])
      const isDenied = () =>
        guest.get('resource/default/key/one').then(
          () => false,
          (error) => isFailure(error, 'RCAR_REFUSED') && error.detail.status === 403,
        )
      await until('the policy counts everywhere', isDenied, 2000)
    }
    await owner.json(b, 'POST', '/admin/v1/policies/resource/rollback', {})
    await setTimeout(1500)

    await interrupt(database, replicas, guests.slice(0, 8))
    await holdsAll(database.url, guests)
  })

  test('a broker on SQLite that is killed goes on with the same state', async () => {
    const directory = bench.fresh('single')
    const owner = await init(directory)
    await using broker = new Served(directory)
    await broker.start()
    await owner.prepare(broker)
    const guests = await Promise.all(Array.from({ length: 8 }, (_, at) => Guest.of(at, [broker])))
    const kept = () => Promise.all(guests.map((guest) => guest.round()))
    await kept()
    for (const _ of [1, 2]) {
      // Handshakes are under way; some of them have their answers, the others none.
      const torn = Promise.allSettled(guests.map((guest) => guest.round()))
      await setTimeout(25)
      await broker.kill()
      await torn
      await broker.start()
      await kept()
    }
    await sameCredentials(owner, broker, guests)
    await holdsAll(join(directory, 'audit'), guests)
  })
})

/** One lease and one address for each, and the same credential every time. */
async function sameCredentials(owner: Owner, broker: Served, guests: readonly Guest[]): Promise<void> {
  type Page = { leases: { name: string; address: string }[] }
  const { leases } = await owner.json<Page>(broker, 'GET', '/admin/v1/leases?limit=1000')
  assert.deepEqual(leases.map(({ name }) => name).sort(), guests.map(({ name }) => name).sort())
  assert.equal(new Set(leases.map(({ address }) => address)).size, guests.length, 'an address twice')
  for (const { answers } of guests) {
    assert.equal(new Set(answers.map(({ node }) => node)).size, 1, 'the same until half of its time is over')
    assert.equal(new Set(answers.map(({ certificate }) => certificate)).size, 1)
  }
}

/** The database crashes and comes back; the guests ask again. */
async function interrupt(
  database: PostgresServer,
  replicas: readonly Served[],
  guests: readonly Guest[],
): Promise<void> {
  const health = async ({ url }: Served) => (await fetch(`${url}/healthz`)).status
  // Requests are in work while it goes away: they fail, and nothing else does.
  const asking = Promise.allSettled(guests.map((guest) => guest.round()))
  await setTimeout(20)
  database.stop()
  await asking
  for (const replica of replicas) {
    await until('it says that it is not ready', async () => (await health(replica)) === 503)
    const auth = { method: 'POST', body: '{"version":"0.4.0","tee":"sample","extra-params":""}' }
    const { status } = await fetch(`${replica.url}/kbs/v0/auth`, auth)
    assert.ok(status === 500 || status === 503, `${status}`)
  }
  database.start()
  for (const replica of replicas) await until('it is ready', async () => (await health(replica)) === 200)
  for (const _ of [1, 2]) await Promise.all(guests.map((guest) => guest.round()))
}

interface Listed {
  readonly record: {
    readonly type: string
    readonly allowed?: boolean
    readonly purpose?: string
    readonly principal?: { readonly name: string }
  }
}

/** The log is whole, every decision can be made again, and none that was answered is missing. */
async function holdsAll(audit: string, guests: readonly Guest[]): Promise<void> {
  const where = ['--audit', audit]
  const verified = await bench.sealiftJson<{ ok: boolean; entries: number }>(['audit', 'verify', ...where])
  assert.equal(verified.ok, true)
  const { ok, replayed } = await bench.sealiftJson<{ ok: boolean; replayed: number }>([
    'audit',
    'replay',
    ...where,
  ])
  assert.ok(ok && replayed > 0)
  const listed = await bench.sealiftJson<Listed[]>(['audit', 'list', ...where])
  assert.equal(listed.length, verified.entries)
  for (const guest of guests) {
    const caller = { kind: 'guest', claims: claimsOf(await guest.attest()), teeKey: {} } as const
    const identity = identityOf()(caller)
    const own = listed.filter(({ record }) => record.principal?.name === identity && record.allowed)
    const appraised = own.filter(({ record }) => record.purpose === 'appraisal').length
    const rounds = guest.answers.length
    assert.ok(appraised >= rounds, `${guest.name}: ${appraised} appraisals in the log, ${rounds} answered`)
    const released = own.length - appraised
    assert.ok(
      released >= 3 * rounds,
      `${guest.name}: ${released} releases in the log, ${3 * rounds} answered`,
    )
  }
}

const claimsOf = (token: string): Json =>
  JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Json
