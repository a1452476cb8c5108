// Many clients at once against one registry: what a request costs its server, in processor time.
import { randomBytes } from 'node:crypto'
import { digestOf, mediaTypes } from '#oci/index.ts'
import { Client, cpuMs, expectStatus } from './raw-client.ts'

/** A registry that runs: where it is, and its process. */
export interface LoadedServer {
  readonly name: string
  readonly host: string
  readonly pid: number
}

export interface LoadResult {
  readonly requests: number
  readonly bytes: number
  readonly wallMs: number
  readonly cpuMs: number
}

/** Pushes a blob in two requests (POST, PUT), as most clients do. */
async function pushBlob(client: Client, repository: string, bytes: Uint8Array): Promise<string> {
  const digest = digestOf(bytes)
  const begun = await expectStatus(
    client.request('POST', `/v2/${repository}/blobs/uploads/`, '', new Uint8Array(0)),
    202,
  )
  const location = (/\r\nlocation: *(\S+)/i.exec(begun)?.[1] ?? '').replace(/^https?:\/\/[^/]+/, '')
  const path = `${location}${location.includes('?') ? '&' : '?'}digest=${encodeURIComponent(digest)}`
  await expectStatus(client.request('PUT', path, 'Content-Type: application/octet-stream\r\n', bytes), 201)
  return digest
}

/** `act` is called `requests` times in all, by `clients` at once; it says how many bytes it moved. */
async function load(
  server: LoadedServer,
  clients: number,
  requests: number,
  act: (client: Client, at: number) => Promise<number>,
): Promise<LoadResult> {
  const connections = Array.from({ length: clients }, () => new Client(server.host))
  await Promise.all(connections.map((client) => expectStatus(client.request('GET', '/v2/'), 200)))
  const cpuBefore = cpuMs(server.pid)
  const begunMs = performance.now()
  let next = 0
  let bytes = 0
  await Promise.all(
    connections.map(async (client) => {
      while (next < requests) {
        const moved = await act(client, next++)
        bytes += moved
      }
    }),
  )
  const wallMs = performance.now() - begunMs
  const used = cpuMs(server.pid) - cpuBefore
  for (const client of connections) client.close()
  return { requests, bytes, wallMs, cpuMs: used }
}

export type Scenario = 'manifest' | 'head' | 'small' | 'pull' | 'push'

export const allScenarios: readonly Scenario[] = ['manifest', 'head', 'small', 'pull', 'push']

export interface MeasureOptions {
  readonly scale?: number
  readonly clients?: number
  readonly wanted?: readonly Scenario[]
}

/** What is measured, with so many requests that it takes a second or more. `scale` shrinks that. */
export async function measure(
  server: LoadedServer,
  { scale = 1, clients = 64, wanted = allScenarios }: MeasureOptions = {},
): Promise<Partial<Record<Scenario, LoadResult>>> {
  const repository = 'bench/load'
  const seeder = new Client(server.host)
  const config = Buffer.from('{"os":"linux","architecture":"amd64"}')
  const configDigest = await pushBlob(seeder, repository, config)
  const large: string[] = []
  const blobs = Array.from({ length: 4 }, () => randomBytes(16 * 1024 * 1024))
  for (const bytes of blobs) large.push(await pushBlob(seeder, repository, bytes))
  const small: string[] = []
  for (let at = 0; at < 64; at++) small.push(await pushBlob(seeder, repository, randomBytes(20_000)))
  const layers = blobs.map((bytes, at) => ({
    mediaType: mediaTypes.ociLayer,
    digest: large[at],
    size: bytes.length,
  }))
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: mediaTypes.ociConfig, digest: configDigest, size: config.length },
      layers,
    }),
  )
  const type = `Content-Type: ${mediaTypes.ociManifest}\r\n`
  await expectStatus(seeder.request('PUT', `/v2/${repository}/manifests/v1`, type, manifest), 201)
  // Once through, so that what is done for the first request alone is not measured.
  for (const digest of [...large, ...small]) await seeder.request('GET', `/v2/${repository}/blobs/${digest}`)
  seeder.close()
  const get = (path: string, sizeBytes: number) => async (client: Client) => {
    await expectStatus(client.request('GET', path, `Accept: ${mediaTypes.ociManifest}\r\n`), 200)
    return sizeBytes
  }
  const scenarios: Record<Scenario, () => Promise<LoadResult>> = {
    manifest: () =>
      load(server, clients, 20_000 * scale, get(`/v2/${repository}/manifests/v1`, manifest.length)),
    head: () =>
      load(server, clients, 20_000 * scale, async (client, at) => {
        await expectStatus(client.request('HEAD', `/v2/${repository}/blobs/${small[at % small.length]}`), 200)
        return 0
      }),
    small: () =>
      load(server, clients, 20_000 * scale, (client, at) =>
        get(`/v2/${repository}/blobs/${small[at % small.length]}`, 20_000)(client),
      ),
    pull: () =>
      load(server, clients, 512 * scale, (client, at) =>
        get(`/v2/${repository}/blobs/${large[at % large.length]}`, 16 * 1024 * 1024)(client),
      ),
    push: () => {
      const pushed = Array.from({ length: Math.ceil(96 * scale) }, () => randomBytes(4 * 1024 * 1024))
      return load(server, Math.min(clients, pushed.length), pushed.length, async (client, at) => {
        await pushBlob(client, repository, pushed[at] as Buffer)
        return 4 * 1024 * 1024
      })
    },
  }
  const results: Partial<Record<Scenario, LoadResult>> = {}
  for (const name of wanted) results[name] = await scenarios[name]()
  return results
}
