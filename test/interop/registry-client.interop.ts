// Our registry client by itself, against distribution 3 and docker-registry 2.8 with TLS and passwords: random images
// go in and come out, and crane says whether the digests are equal.
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { bytesReader, copy, MemoryStore, readVerified } from '#content/index.ts'
import { digestOf, mediaTypes, parseManifest } from '#oci/index.ts'
import { RegistryClient, type RegistryRepository, systemRegistryOptions } from '#registry/index.ts'
import { putImage, putIndex, seededBytes } from '../support/random-image.ts'
import { needs } from './peers.ts'
import { freePort, Workbench } from './workbench.ts'

const account = { name: 'anna', password: 'pass: word' }
const registries = ['distribution', 'docker-registry'] as const
type Registry = (typeof registries)[number]

let bench: Workbench
let env: Record<string, string>
const hosts = new Map<Registry, string>()

const options = needs('distribution', 'docker-registry', 'crane', 'openssl', 'htpasswd')

describe('our client and the registries of others', options, () => {
  before(async () => {
    bench = new Workbench()
    await makeCertificates()
    await bench.run('htpasswd', ['-Bbc', 'htpasswd', account.name, account.password])
    for (const registry of registries) hosts.set(registry, await start(registry))
    env = homeOf(account.password)
  })
  after(() => bench?.[Symbol.asyncDispose]())

  for (const registry of registries) {
    test(`${registry} takes an index with its referrers; crane sees the same digests`, async () => {
      await using client = clientOf()
      const store = new MemoryStore()
      const root = await putIndex(store, registry)
      await putImage(store, `sbom ${registry}`, [500], { subject: root, artifactType: 'application/x.sbom' })
      const large = await putImage(store, `large ${registry}`, [30_000_000, 3, 0])
      const target = repository(client, registry, 'from/us')
      const first = await copy(root, store, target, { tags: ['v1', 'latest'] })
      assert.equal(first.companions, 1)
      await copy(large, store, target, { tags: ['large'] })
      assert.equal(await crane('digest', `${host(registry)}/from/us:v1`), root.digest)
      assert.equal(await crane('digest', `${host(registry)}/from/us:latest`), root.digest)
      assert.equal(await crane('digest', `${host(registry)}/from/us:large`), large.digest)
      const found = await Array.fromAsync(target.referrers(root.digest, 'application/x.sbom'))
      assert.equal(found.length, 1)

      // The second time there is nothing to do; to a neighbour, nothing but manifests moves.
      assert.equal((await copy(root, store, target, { tags: ['v1'] })).copied.items, 0)
      const neighbour = await copy(large, store, repository(client, registry, 'neighbour'), { tags: ['v1'] })
      assert.deepEqual([neighbour.copied.items, neighbour.mounted.items], [1, 4])
      assert.equal(await crane('digest', `${host(registry)}/neighbour:v1`), large.digest)
      const again = new MemoryStore()
      await copy(large, repository(client, registry, 'neighbour'), again)
      assert.equal(await again.has(large), true)
    })

    test(`what crane pushes to ${registry} comes back the same`, async () => {
      await using client = clientOf()
      writeFileSync(bench.path('layer.tar'), tarOf('hello.txt', seededBytes(registry, 200_000)))
      const name = `${host(registry)}/crane/image:v1`
      await crane('append', '--oci-empty-base', '-f', bench.path('layer.tar'), '-t', name)
      const source = repository(client, registry, 'crane/image')
      const root = await source.resolve('v1')
      assert.equal(root.digest, await crane('digest', name))
      const store = new MemoryStore()
      await copy(root, source, store)
      const manifest = parseManifest(await readVerified(store, root, root.size), root.mediaType)
      assert.equal(manifest.kind === 'image' && manifest.layers.length, 1)
      assert.deepEqual(await source.tags(), ['v1'])
    })

    test(`${registry} gives parts of a blob, and takes one whose first push broke`, async () => {
      await using client = clientOf()
      const bytes = seededBytes(`broken ${registry}`, 12_000_000)
      const content = { mediaType: mediaTypes.octets, digest: digestOf(bytes), size: bytes.length }
      const target = repository(client, registry, 'parts')
      await assert.rejects(target.write(content, cutAfter(bytes, 5_000_000)), /the source is cut/)
      assert.equal(await target.has(content), false)
      const outcome = await target.write(content, async (offset) => bytesReader(bytes.subarray(offset)))
      assert.equal(outcome, 'copied')
      const reader = await target.open(content, { offset: 11_999_000, length: 500 })
      const part = Buffer.alloc(501)
      let filled = 0
      for (let count = await reader.read(part); count > 0; count = await reader.read(part.subarray(filled))) {
        filled += count
      }
      await reader.close()
      assert.ok(part.subarray(0, filled).equals(bytes.subarray(11_999_000, 11_999_500)))
    })

    test(`${registry} tells whether it takes sparse indexes, and nothing stays behind`, async () => {
      await using client = clientOf()
      const target = repository(client, registry, 'sparse')
      const probe = await target.supportsSparseIndex()
      assert.ok(probe.done.length > 0)
      if (probe.supported) assert.equal(probe.left, undefined)
      assert.deepEqual(await target.tags(), [])
    })

    test(`${registry} keeps out who has a wrong password, and we keep out of it without its CA`, async () => {
      await using wrong = new RegistryClient(systemRegistryOptions(homeOf('wrong')))
      const asked = repository(wrong, registry, 'from/us').resolve('v1')
      await assert.rejects(asked, { code: 'REGISTRY_UNAUTHORIZED' })
      await using stranger = new RegistryClient(systemRegistryOptions({ HOME: bench.path('nobody') }))
      await assert.rejects(repository(stranger, registry, 'from/us').resolve('v1'), { code: 'REGISTRY_TLS' })
    })
  }

  test('from one registry to the other and back, digests stay', async () => {
    await using client = clientOf()
    const store = new MemoryStore()
    const root = await putIndex(store, 'there and back')
    const one = repository(client, registries[0], 'one')
    const other = repository(client, registries[1], 'other')
    const back = repository(client, registries[0], 'back')
    await copy(root, store, one, { tags: ['v1'] })
    await copy(await one.resolve('v1'), one, other, { tags: ['v1'] })
    await copy(await other.resolve('v1'), other, back, { tags: ['v1'] })
    for (const name of [`${host(registries[1])}/other:v1`, `${host(registries[0])}/back:v1`]) {
      assert.equal(await crane('digest', name), root.digest)
    }
  })
})

const host = (registry: Registry): string => hosts.get(registry) as string
const clientOf = () => new RegistryClient(systemRegistryOptions(env))
const repository = (client: RegistryClient, registry: Registry, name: string): RegistryRepository =>
  client.repository({ registry: host(registry), repository: name })

async function crane(...args: string[]): Promise<string> {
  const { stdout } = await bench.run('crane', args, { env: { ...env, SSL_CERT_FILE: bench.path('ca.pem') } })
  return stdout.trim()
}

const cutAfter = (bytes: Uint8Array, count: number) => async (offset: number) => {
  const inner = bytesReader(bytes.subarray(offset))
  let left = count
  return {
    read: async (into: Uint8Array) => {
      if (left <= 0) throw new Error('the source is cut')
      const got = await inner.read(into.subarray(0, left))
      left -= got
      return got
    },
    close: () => inner.close(),
  }
}

/** A home as container tools know it: the CA for each host, and the password in docker's config. */
function homeOf(password: string): Record<string, string> {
  const home = bench.fresh('home')
  for (const name of hosts.values()) {
    const folder = `${home}/.config/containers/certs.d/${name}`
    mkdirSync(folder, { recursive: true })
    writeFileSync(`${folder}/ca.crt`, readFileSync(bench.path('ca.pem')))
  }
  const auth = Buffer.from(`${account.name}:${password}`).toString('base64')
  mkdirSync(`${home}/.docker`, { recursive: true })
  const auths = Object.fromEntries([...hosts.values()].map((name) => [name, { auth }]))
  writeFileSync(`${home}/.docker/config.json`, JSON.stringify({ auths }))
  return { HOME: home, DOCKER_CONFIG: `${home}/.docker` }
}

async function start(registry: Registry): Promise<string> {
  const port = await freePort()
  const config = bench.path(`${registry}.yml`)
  writeFileSync(
    config,
    // JSON is YAML.
    JSON.stringify({
      version: '0.1',
      log: { level: 'error', accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: bench.path(`data-${registry}`) }, delete: { enabled: true } },
      http: {
        addr: `127.0.0.1:${port}`,
        secret: 'for the test alone',
        tls: { certificate: bench.path('server.pem'), key: bench.path('server.key') },
      },
      auth: { htpasswd: { realm: 'interop', path: bench.path('htpasswd') } },
    }),
  )
  await bench.daemon(registry, ['serve', config], () => listens(port), {
    env: { OTEL_TRACES_EXPORTER: 'none' },
  })
  return `127.0.0.1:${port}`
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

async function makeCertificates(): Promise<void> {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const ca = ['-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=interop CA']
  await bench.run('openssl', ['req', '-x509', ...key, ...ca])
  const server = ['-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=127.0.0.1']
  await bench.run('openssl', ['req', ...key, ...server])
  writeFileSync(bench.path('server.ext'), 'subjectAltName=IP:127.0.0.1\n')
  const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'server.ext']
  await bench.run('openssl', [
    'x509',
    '-req',
    '-in',
    'server.csr',
    '-out',
    'server.pem',
    '-days',
    '2',
    ...signing,
  ])
}

/** A tar of one file. */
function tarOf(name: string, content: Buffer): Buffer {
  const header = Buffer.alloc(512)
  header.write(name)
  header.write('0000644\x000000000\x000000000\0', 100)
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124)
  header.write('00000000000\0        0', 136)
  header.write('ustar\u000000', 257)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return Buffer.concat([header, content, Buffer.alloc(512 - (content.length % 512)), Buffer.alloc(1024)])
}
