import { connect } from 'node:net'
import { bytesReader, MemoryRepositories, type Repositories } from '#content/index.ts'
import { type Descriptor, digestOf, mediaTypes } from '#oci/index.ts'
import { createRegistryServer } from './create-registry-server.ts'
import type { RegistryServer, RegistryServerOptions } from './options.ts'
import type { LogEvent } from './request-log.ts'

export interface Started extends AsyncDisposable {
  readonly server: RegistryServer
  readonly repositories: Repositories
  readonly url: string
  readonly registry: string
  readonly port: number
  readonly events: LogEvent[]
  /** Resolves with the first event, from now on or before, of which `wanted` is true. */
  readonly event: (wanted: (event: LogEvent) => boolean) => Promise<LogEvent>
}

/** A server over memory on a port of the kernel's choice. */
export async function start(options: Partial<RegistryServerOptions> = {}): Promise<Started> {
  const repositories = options.repositories ?? new MemoryRepositories()
  const events: LogEvent[] = []
  const waiting = new Set<(event: LogEvent) => void>()
  const log = (event: LogEvent) => {
    events.push(event)
    for (const tell of waiting) tell(event)
  }
  const server = createRegistryServer({ log, ...options, repositories })
  const { url, registry, port } = await server.listen('127.0.0.1:0')
  const event = (wanted: (event: LogEvent) => boolean) => {
    const before = events.find(wanted)
    if (before) return Promise.resolve(before)
    return new Promise<LogEvent>((resolve) => {
      const tell = (happened: LogEvent) => {
        if (!wanted(happened)) return
        waiting.delete(tell)
        resolve(happened)
      }
      waiting.add(tell)
    })
  }
  const dispose = () => server[Symbol.asyncDispose]()
  return { server, repositories, url, registry, port, events, event, [Symbol.asyncDispose]: dispose }
}

/** Sends exactly these bytes and returns all that comes back until the server closes the connection. */
export async function raw(port: number, ...pieces: readonly (string | Uint8Array)[]): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(Buffer.from(chunk as Buffer)))
  // A server that cuts off is what some tests want to see.
  socket.on('error', () => undefined)
  for (const piece of pieces) socket.write(Buffer.from(piece as string))
  await new Promise<void>((resolve) => socket.once('close', () => resolve()))
  return Buffer.concat(chunks).toString('latin1')
}

/** One whole request, after which the server is asked to close. */
export const get = (target: string, ...headers: readonly string[]): string =>
  [`GET ${target} HTTP/1.1`, 'Host: x', 'Connection: close', ...headers, '', ''].join('\r\n')

export const statusOf = (reply: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(reply)?.[1])

/** The code of an error reply, proven to be in the form of distribution-spec. */
export async function codeOf(reply: Response): Promise<string> {
  const body = (await reply.json()) as { errors: { code: string; message: string }[] }
  return body.errors[0]?.code ?? ''
}

/** Puts a content into a repository behind the server's back. */
export async function stored(
  repositories: Repositories,
  name: string,
  bytes: Uint8Array,
  mediaType: string = mediaTypes.octets,
): Promise<Descriptor> {
  const store = await repositories.create!(name)
  const content = { mediaType, digest: digestOf(bytes), size: bytes.length }
  await store.write(content, async (offset) => bytesReader(bytes.subarray(offset)))
  return content
}

/** The manifest of an image that has nothing but a config. */
export const manifestOf = (config: Descriptor, more: object = {}): Buffer =>
  Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [], ...more }),
  )
