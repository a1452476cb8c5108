import type { OpenAt } from '#content/index.ts'
import type { Descriptor } from '#oci/index.ts'
import { failure } from './codes.ts'
import type { BodyBuffers } from './http/body-buffers.ts'
import { field } from './http/exchange.ts'
import { ReaderBody } from './http/reader-body.ts'
import type { Retries } from './pace.ts'
import { type Place, pushScope } from './place.ts'
import { openSource, SourceFailed } from './push-source.ts'
import { parseUploadRange } from './ranges.ts'
import { uploadLocation } from './redirect.ts'
import type { Reply } from './registry-host.ts'

/** An upload on the registry's side: where it goes on, and how many bytes have arrived. */
export class UploadSession {
  readonly #place: Place
  readonly #signal: AbortSignal | undefined
  readonly #buffers: BodyBuffers
  location: URL
  offset: number

  constructor(
    place: Place,
    buffers: BodyBuffers,
    signal: AbortSignal | undefined,
    location: URL,
    offset = 0,
  ) {
    this.#place = place
    this.#buffers = buffers
    this.#signal = signal
    this.location = location
    this.offset = offset
  }

  /** Sends the content from here up to `end` (exclusive) in one streamed PATCH. Any status may come back. */
  async patch(content: Descriptor, from: OpenAt, end: number): Promise<Reply> {
    const { host } = this.#place
    const length = end - this.offset
    const isPart = this.offset > 0 || end < content.size
    const body = new ReaderBody(
      await openSource(from, this.offset),
      length,
      end === content.size,
      this.#buffers,
    )
    try {
      const reply = await host.send({
        method: 'PATCH',
        to: this.location,
        scope: pushScope(this.#place),
        headers: {
          'content-type': 'application/octet-stream',
          'content-length': String(length),
          ...(isPart && { 'content-range': `${this.offset}-${end - 1}` }),
        },
        body,
        signal: this.#signal,
      })
      if (reply.status < 300) this.#advance(reply, end)
      return reply
    } catch (error) {
      throw body.sourceFailure ? new SourceFailed(body.sourceFailure.error) : error
    } finally {
      await body.close()
    }
  }

  /** Asks how far it is. False where the registry does not know it any more, or holds more than there is. */
  async refresh(content: Descriptor, retries: Retries): Promise<boolean> {
    const { host } = this.#place
    const reply = await host.send({
      method: 'GET',
      to: this.location,
      scope: pushScope(this.#place),
      retries,
      signal: this.#signal,
    })
    await reply.body.close()
    if (reply.status !== 204 && reply.status !== 202 && reply.status !== 200) return false
    const offset = parseUploadRange(field(reply.headers, 'range'))
    if (offset === undefined || offset > content.size) return false
    this.offset = offset
    this.#follow(reply)
    return true
  }

  /** The URL that ends it. */
  finalUrl({ digest }: Descriptor): URL {
    const url = new URL(this.location)
    url.searchParams.set('digest', digest)
    return url
  }

  async cancel(): Promise<void> {
    const { host } = this.#place
    const call = {
      method: 'DELETE',
      to: this.location,
      scope: pushScope(this.#place),
      signal: this.#signal,
    } as const
    await host.send(call).then(
      (reply) => reply.body.close(),
      () => {},
    )
  }

  /** What the registry says it has counts, not what was sent. */
  #advance(reply: Reply, end: number): void {
    const arrived = parseUploadRange(field(reply.headers, 'range')) ?? end
    if (arrived > end) {
      throw failure(
        'REGISTRY_ANSWER_INVALID',
        `${reply.url.host} has got more bytes of an upload than were sent`,
      )
    }
    // `0-0` may mean one byte as well as none.
    this.offset = arrived === 0 && end === 1 ? 1 : arrived
    this.#follow(reply)
  }

  #follow(reply: Reply): void {
    const location = field(reply.headers, 'location')
    if (location !== undefined)
      this.location = uploadLocation(reply.url, location, this.#place.host.mayConnect)
  }
}
