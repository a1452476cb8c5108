import { type ByteReader, contentFailure } from '#content/index.ts'
import { type Descriptor, digestAlgorithm, isDigest } from '#oci/index.ts'
import { failure } from './codes.ts'
import { isPassing } from './http/connection-faults.ts'
import { field } from './http/exchange.ts'
import { Retries } from './pace.ts'
import { blobPath, firstOf, notFound, type Place, pullScope } from './place.ts'
import { parseContentRange } from './ranges.ts'
import { problemsOf, refusal } from './refusal.ts'
import type { Reply } from './registry-host.ts'

/** After so many bytes without a fault, earlier faults are forgiven. */
const progressBytes = 1024 * 1024

/**
 * Opens the bytes of a blob from `offset` up to `end` (exclusive). What breaks on the way is taken up where it was,
 * with a range request, from whichever place answers.
 *
 * @throws CONTENT_NOT_FOUND, SIZE_MISMATCH, DIGEST_MISMATCH (the registry says so itself), REGISTRY_ANSWER_INVALID, and
 * the codes of `RegistryHost.send`
 */
export async function openBlob(
  places: readonly Place[],
  content: Descriptor,
  { offset, end }: { readonly offset: number; readonly end: number },
  signal: AbortSignal | undefined,
): Promise<ByteReader> {
  const download = new BlobDownload(places, content, offset, end, signal)
  await download.begin()
  return download
}

class BlobDownload implements ByteReader {
  readonly #places: readonly Place[]
  readonly #content: Descriptor
  readonly #end: number
  readonly #signal: AbortSignal | undefined
  readonly #retries: Retries
  #position: number
  #unforgivenBytes = 0
  #body: ByteReader | undefined
  #wholeBody = false
  #ended = false
  #closed = false

  constructor(
    places: readonly Place[],
    content: Descriptor,
    offset: number,
    end: number,
    signal: AbortSignal | undefined,
  ) {
    this.#places = places
    this.#content = content
    this.#position = offset
    this.#end = end
    this.#signal = signal
    this.#retries = new Retries((places.at(-1) as Place).host.pace)
  }

  async begin(): Promise<void> {
    if (this.#position >= this.#end) this.#ended = true
    else this.#body = await this.#open()
  }

  async read(into: Uint8Array): Promise<number> {
    for (;;) {
      if (this.#ended || into.length === 0) return 0
      if (this.#closed) throw new Error('the blob was closed before its end')
      if (this.#position === this.#end) return this.#finish()
      try {
        this.#body ??= await this.#open()
        const left = this.#end - this.#position
        const count = await this.#body.read(into.length > left ? into.subarray(0, left) : into)
        if (count === 0) {
          throw failure('REGISTRY_CONNECTION_LOST', `${this.#host} ended ${this.#content.digest} too early`)
        }
        this.#position += count
        this.#unforgivenBytes += count
        return count
      } catch (error) {
        await this.#recover(error)
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#body?.close()
  }

  get #host(): string {
    return (this.#places.at(-1) as Place).host.registry
  }

  /** Waits for another try where the fault may pass, or throws what it is. */
  async #recover(error: unknown): Promise<void> {
    if (this.#closed) throw error
    const fault = (this.#places.at(-1) as Place).host.fault(error, this.#signal)
    await this.#body?.close()
    this.#body = undefined
    if (this.#unforgivenBytes >= progressBytes) this.#retries.progressed()
    this.#unforgivenBytes = 0
    if (!isPassing(fault) || !(await this.#retries.again(undefined, this.#signal))) throw fault
  }

  /** All promised bytes are through. A body that was asked for whole must end here as well. */
  async #finish(): Promise<number> {
    const body = this.#body
    const more = this.#wholeBody && body ? await body.read(new Uint8Array(1)).catch(() => 0) : 0
    await body?.close()
    this.#ended = true
    if (more > 0) throw this.#sizeMismatch('more bytes')
    return 0
  }

  async #open(): Promise<ByteReader> {
    const body = await firstOf(this.#places, this.#signal, (place) => this.#openAt(place))
    if (this.#closed) await body?.close()
    return body as ByteReader
  }

  async #openAt(place: Place): Promise<ByteReader> {
    const { digest, size } = this.#content
    const { host } = place
    const wantsPart = this.#position > 0 || this.#end < size
    const reply = await host.send({
      method: 'GET',
      to: blobPath(place, digest),
      scope: pullScope(place),
      headers: wantsPart ? { range: `bytes=${this.#position}-${this.#end - 1}` } : {},
      expectBytes: this.#end - this.#position,
      retries: this.#retries,
      signal: this.#signal,
    })
    try {
      if (reply.status === 404) throw notFound(place, digest)
      if (reply.status === 416) throw this.#sizeMismatch('fewer bytes')
      if (reply.status !== 200 && reply.status !== 206) {
        const problems = await problemsOf(reply, host.pace.limits, host.pace.now)
        throw refusal(reply, problems, `give ${digest}`)
      }
      this.#checkFields(reply, wantsPart)
      this.#wholeBody = reply.status === 200 && this.#end === size
      // A server that knows no ranges sends the whole: what is here already is skipped.
      if (reply.status === 200) await skip(reply.body, this.#position)
      return reply.body
    } catch (error) {
      await reply.body.close()
      throw error
    }
  }

  #checkFields({ status, headers, url }: Reply, wantsPart: boolean): void {
    const { digest, size } = this.#content
    const invalid = (why: string) =>
      failure('REGISTRY_ANSWER_INVALID', `${url.host} was asked for ${digest} and ${why}`)
    const encoding = field(headers, 'content-encoding')
    if (encoding !== undefined && encoding !== 'identity')
      throw invalid(`compressed it on the way (${encoding})`)
    const claimed = field(headers, 'docker-content-digest')
    if (isDigest(claimed) && claimed !== digest && digestAlgorithm(claimed) === digestAlgorithm(digest)) {
      throw contentFailure('DIGEST_MISMATCH', `${url.host} was asked for ${digest} and sends ${claimed}`)
    }
    if (status === 206) {
      const range = parseContentRange(field(headers, 'content-range'))
      if (!wantsPart || !range) throw invalid('sent a part of it that was not asked for')
      if (range.total !== undefined && range.total !== size) throw this.#sizeMismatch(`${range.total} bytes`)
      if (range.first !== this.#position || range.last >= this.#end) throw invalid('sent another part of it')
      return
    }
    const length = field(headers, 'content-length')
    if (length !== undefined && Number(length) !== size) throw this.#sizeMismatch(`${Number(length)} bytes`)
  }

  #sizeMismatch(what: string) {
    const { digest, size } = this.#content
    return contentFailure(
      'SIZE_MISMATCH',
      `${digest} should have ${size} bytes, but ${this.#host} has ${what}`,
      {
        detail: { expected: size, digest, host: this.#host },
      },
    )
  }
}

async function skip(body: ByteReader, count: number): Promise<void> {
  if (count === 0) return
  const scratch = new Uint8Array(Math.min(count, 256 * 1024))
  for (let left = count; left > 0; ) {
    const got = await body.read(scratch.subarray(0, Math.min(left, scratch.length)))
    if (got === 0)
      throw failure('REGISTRY_CONNECTION_LOST', 'a blob ended before the place where it is to go on')
    left -= got
  }
}
