import type { IncomingMessage, ServerResponse } from 'node:http'
import { isStore, type Repositories, type Repository, type Store } from '#content/index.ts'
import type { Descriptor, Digest } from '#oci/index.ts'
import { refuse } from './codes.ts'
import type { DamageLedger } from './damage.ts'
import type { ServerLimits } from './limits.ts'
import type { Metrics } from './metrics.ts'
import type { UploadLocks } from './upload-locks.ts'

/** What the resources of one server share. */
export interface Shared {
  readonly repositories: Repositories
  readonly limits: ServerLimits
  readonly damage: DamageLedger
  readonly metrics: Metrics
  readonly uploadLocks: UploadLocks
}

/** One request and its reply, with what was parsed of it. */
export class Exchange {
  readonly shared: Shared
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly query: URLSearchParams
  readonly signal: AbortSignal
  bytesOut = 0

  constructor(
    shared: Shared,
    request: IncomingMessage,
    response: ServerResponse,
    query: URLSearchParams,
    signal: AbortSignal,
  ) {
    this.shared = shared
    this.request = request
    this.response = response
    this.query = query
    this.signal = signal
  }

  get isHead(): boolean {
    return this.request.method === 'HEAD'
  }

  /** A repository to read; containerd's mirrors tell the host they stand for as `ns`. @throws REQUEST_REFUSED */
  async repository(name: string): Promise<Repository> {
    const ns = this.query.get('ns')
    const { repositories } = this.shared
    const found =
      (ns ? await repositories.repository(`${ns}/${name}`) : undefined) ??
      (await repositories.repository(name))
    if (!found) throw refuse(404, 'NAME_UNKNOWN', `there is no repository ${name}`)
    return found
  }

  /** A repository to change, made where it is absent and `create` says so. @throws REQUEST_REFUSED */
  async store(name: string, create: boolean): Promise<Store> {
    const { repositories } = this.shared
    const found = await repositories.repository(name)
    if (found && isStore(found)) return found
    if (!repositories.create) throw refuse(405, 'UNSUPPORTED', 'this registry is read only')
    if (!create && !found) throw refuse(404, 'NAME_UNKNOWN', `there is no repository ${name}`)
    return repositories.create(name)
  }

  /** A reply without a body. */
  empty(status: number, headers: Record<string, string | string[]> = {}): void {
    // A 204 must not have a length (RFC 9110, 8.6); all others say that there is nothing.
    const length = status === 204 ? {} : { 'content-length': '0' }
    this.response.writeHead(status, { ...headers, ...length }).end()
  }

  body(status: number, bytes: Uint8Array, headers: Record<string, string | string[]>): void {
    this.response.writeHead(status, { ...headers, 'content-length': String(bytes.length) })
    if (!this.isHead) this.bytesOut += bytes.length
    this.response.end(this.isHead ? undefined : bytes)
  }

  json(status: number, value: unknown, headers: Record<string, string | string[]> = {}): void {
    const type = { 'content-type': 'application/json; charset=utf-8' }
    this.body(status, Buffer.from(JSON.stringify(value)), { ...type, ...headers })
  }
}

/** The headers that say which content a reply is about. */
export const contentHeaders = ({ mediaType, digest }: Descriptor): Record<string, string> => ({
  'content-type': mediaType,
  'docker-content-digest': digest,
  etag: `"${digest}"`,
})

/** Whether the client holds this content already (RFC 9110, 13.1.2). */
export function isUnchanged(request: IncomingMessage, digest: Digest): boolean {
  const header = request.headers['if-none-match']
  return header?.split(',').some((tag) => tag.trim().replace(/^W\//, '') === `"${digest}"`) === true
}
