import { once } from 'node:events'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { digestAlgorithm, digestOf, isDigest } from '#oci/index.ts'

export interface SeenRequest {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** True: answered (or broken off), the registry does nothing more. */
export type Interceptor = (
  request: SeenRequest,
  response: ServerResponse,
  raw: IncomingMessage,
) => boolean | undefined | Promise<boolean | undefined>

export const sha256 = (bytes: Uint8Array): string => digestOf(bytes)
const hasDigest = (bytes: Uint8Array, digest: string | null): boolean =>
  isDigest(digest) && digestOf(bytes, digestAlgorithm(digest)) === digest

/**
 * A registry in memory that does what it should, until a test intercepts: every request passes `intercept` first,
 * and `before` even before its body is read.
 */
export class FakeRegistry implements AsyncDisposable {
  readonly #server: Server
  readonly seen: SeenRequest[] = []
  /** By `repository@digest`. */
  readonly blobs = new Map<string, Buffer>()
  /** By `repository@digest` and `repository:tag`. */
  readonly manifests = new Map<string, { readonly bytes: Buffer; readonly type: string }>()
  readonly uploads = new Map<string, Buffer>()
  readonly features = {
    singlePost: true,
    mount: true,
    referrers: true,
    sparse: true,
    delete: true,
    ranges: true,
  }
  intercept: Interceptor = () => false
  before: (raw: IncomingMessage, response: ServerResponse) => boolean = () => false
  #uploadCount = 0

  constructor(tls?: ServerOptions) {
    const listener = (raw: IncomingMessage, response: ServerResponse) => {
      this.#serve(raw, response).catch(() => response.destroy())
    }
    this.#server = tls ? createTlsServer(tls, listener) : createServer(listener)
  }

  static async start(tls?: ServerOptions): Promise<FakeRegistry> {
    const registry = new FakeRegistry(tls)
    registry.#server.listen(0, '127.0.0.1')
    await once(registry.#server, 'listening')
    return registry
  }

  /** HOST:PORT. */
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** `METHOD /path` of what was seen, without queries. */
  get calls(): string[] {
    return this.seen.map(({ method, url }) => `${method} ${url.split('?')[0]}`)
  }

  count(pattern: RegExp): number {
    return this.calls.filter((call) => pattern.test(call)).length
  }

  addBlob(repository: string, bytes: Uint8Array): { mediaType: string; digest: never; size: number } {
    this.blobs.set(`${repository}@${sha256(bytes)}`, Buffer.from(bytes))
    return { mediaType: 'application/octet-stream', digest: sha256(bytes) as never, size: bytes.length }
  }

  addManifest(
    repository: string,
    value: object,
    tag?: string,
  ): { mediaType: string; digest: never; size: number } {
    const bytes = Buffer.from(JSON.stringify(value))
    const type = (value as { mediaType: string }).mediaType
    this.manifests.set(`${repository}@${sha256(bytes)}`, { bytes, type })
    if (tag !== undefined) this.manifests.set(`${repository}:${tag}`, { bytes, type })
    return { mediaType: type, digest: sha256(bytes) as never, size: bytes.length }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #serve(raw: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.before(raw, response)) return
    const chunks: Buffer[] = []
    try {
      for await (const chunk of raw) chunks.push(chunk as Buffer)
    } catch (error) {
      this.#keepPart(raw, Buffer.concat(chunks))
      throw error
    }
    const request = {
      method: raw.method ?? '',
      url: raw.url ?? '',
      headers: raw.headers,
      body: Buffer.concat(chunks),
    }
    this.seen.push(request)
    if (await this.intercept(request, response, raw)) return
    this.#route(request, response)
  }

  /** A PATCH that breaks leaves what arrived. */
  #keepPart({ method, url = '' }: IncomingMessage, part: Buffer): void {
    const id = /uploads\/([^?]+)/.exec(url)?.[1] ?? ''
    const held = this.uploads.get(id)
    if (method === 'PATCH' && held) this.uploads.set(id, Buffer.concat([held, part]))
  }

  #route(request: SeenRequest, response: ServerResponse): true {
    const { pathname, searchParams } = new URL(request.url, 'http://x')
    if (pathname === '/v2/') return send(response, 200, {}, '{}')
    const match = /^\/v2\/(.+?)\/(blobs\/uploads|blobs|manifests|referrers|tags)\/(.*)$/.exec(pathname)
    if (!match) return send(response, 404)
    const [, repository = '', kind, rest = ''] = match
    if (kind === 'blobs') return this.#blob(request, response, `${repository}@${rest}`)
    if (kind === 'blobs/uploads') return this.#upload(request, response, repository, rest, searchParams)
    if (kind === 'manifests') return this.#manifest(request, response, repository, rest)
    if (kind === 'referrers') return this.#referrers(response, repository, rest)
    const tags = [...this.manifests.keys()]
      .filter((key) => key.startsWith(`${repository}:`))
      .map((key) => key.slice(repository.length + 1))
    return send(
      response,
      200,
      { 'content-type': 'application/json' },
      JSON.stringify({ name: repository, tags }),
    )
  }

  #blob({ method, headers }: SeenRequest, response: ServerResponse, key: string): true {
    const bytes = this.blobs.get(key)
    if (!bytes) return send(response, 404, {}, problem('BLOB_UNKNOWN'))
    const digest = { 'docker-content-digest': key.slice(key.indexOf('@') + 1) }
    const range = this.features.ranges ? /^bytes=(\d+)-(\d+)?$/.exec(headers.range ?? '') : null
    if (method === 'HEAD') return send(response, 200, { ...digest, 'content-length': bytes.length })
    if (!range) return send(response, 200, digest, bytes)
    const first = Number(range[1])
    const last = Math.min(Number(range[2] ?? bytes.length - 1), bytes.length - 1)
    if (first > last) return send(response, 416)
    const field = { ...digest, 'content-range': `bytes ${first}-${last}/${bytes.length}` }
    return send(response, 206, field, bytes.subarray(first, last + 1))
  }

  #upload(
    { method, body, headers }: SeenRequest,
    response: ServerResponse,
    repository: string,
    id: string,
    query: URLSearchParams,
  ): true {
    const digest = query.get('digest')
    const finish = (bytes: Buffer) => {
      if (digest === null || !hasDigest(bytes, digest))
        return send(response, 400, {}, problem('DIGEST_INVALID'))
      this.uploads.delete(id)
      this.blobs.set(`${repository}@${digest}`, bytes)
      return send(response, 201, {
        location: `/v2/${repository}/blobs/${digest}`,
        'docker-content-digest': digest,
      })
    }
    if (method === 'POST') {
      const held = this.blobs.get(`${query.get('from')}@${query.get('mount')}`)
      if (held && this.features.mount) {
        this.blobs.set(`${repository}@${query.get('mount')}`, held)
        return send(response, 201, { location: `/v2/${repository}/blobs/${query.get('mount')}` })
      }
      if (digest !== null && this.features.singlePost) return finish(body)
      const name = `u${this.#uploadCount++}`
      this.uploads.set(name, Buffer.alloc(0))
      return send(response, 202, { location: `/v2/${repository}/blobs/uploads/${name}?state=0` })
    }
    const held = this.uploads.get(id)
    if (!held) return send(response, 404, {}, problem('BLOB_UPLOAD_UNKNOWN'))
    const state = (bytes: Buffer) => ({
      location: `/v2/${repository}/blobs/uploads/${id}?state=${bytes.length}`,
      range: `0-${Math.max(0, bytes.length - 1)}`,
    })
    if (method === 'GET') return send(response, 204, state(held))
    if (method === 'DELETE') {
      this.uploads.delete(id)
      return send(response, 204)
    }
    const from = /^(\d+)-/.exec(headers['content-range'] ?? '')?.[1]
    if (from !== undefined && Number(from) !== held.length) return send(response, 416, state(held))
    const whole = Buffer.concat([held, body])
    this.uploads.set(id, whole)
    return method === 'PATCH' ? send(response, 202, state(whole)) : finish(whole)
  }

  #manifest(
    { method, headers, body }: SeenRequest,
    response: ServerResponse,
    repository: string,
    name: string,
  ): true {
    const key = name.includes(':') ? `${repository}@${name}` : `${repository}:${name}`
    if (method === 'PUT') {
      const value = JSON.parse(body.toString())
      const missing = (value.manifests ?? []).find(
        (child: { digest: string }) => !this.manifests.has(`${repository}@${child.digest}`),
      )
      if (missing && !this.features.sparse) return send(response, 400, {}, problem('MANIFEST_BLOB_UNKNOWN'))
      const held = { bytes: body, type: headers['content-type'] ?? '' }
      this.manifests.set(key, held)
      this.manifests.set(`${repository}@${sha256(body)}`, held)
      const subject = this.features.referrers && value.subject ? { 'oci-subject': value.subject.digest } : {}
      if (name.includes(':') && !hasDigest(body, name))
        return send(response, 400, {}, problem('DIGEST_INVALID'))
      return send(response, 201, { 'docker-content-digest': sha256(body), ...subject })
    }
    const held = this.manifests.get(key)
    if (method === 'DELETE') {
      if (!this.features.delete) return send(response, 405, {}, problem('UNSUPPORTED'))
      return send(response, this.manifests.delete(key) ? 202 : 404)
    }
    if (!held) return send(response, 404, {}, problem('MANIFEST_UNKNOWN'))
    const fields = { 'content-type': held.type, 'docker-content-digest': sha256(held.bytes) }
    if (method === 'HEAD') return send(response, 200, { ...fields, 'content-length': held.bytes.length })
    return send(response, 200, fields, held.bytes)
  }

  #referrers(response: ServerResponse, repository: string, subject: string): true {
    if (!this.features.referrers) return send(response, 404)
    const manifests = [...this.manifests]
      .filter(([key, { bytes }]) => {
        return key.startsWith(`${repository}@`) && JSON.parse(bytes.toString()).subject?.digest === subject
      })
      .map(([key, { bytes, type }]) => {
        const { artifactType } = JSON.parse(bytes.toString())
        return { mediaType: type, digest: key.slice(key.indexOf('@') + 1), size: bytes.length, artifactType }
      })
    const type = 'application/vnd.oci.image.index.v1+json'
    const body = JSON.stringify({ schemaVersion: 2, mediaType: type, manifests })
    return send(response, 200, { 'content-type': type }, body)
  }
}

export const problem = (code: string, message = ''): string =>
  JSON.stringify({ errors: [{ code, message: message || code.toLowerCase(), detail: null }] })

export function send(
  response: ServerResponse,
  status: number,
  headers: Record<string, string | number> = {},
  body: string | Uint8Array = '',
): true {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  response.writeHead(status, { 'content-length': bytes.length, ...headers })
  response.end(bytes)
  return true
}
