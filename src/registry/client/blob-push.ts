import { isFailure, type SealiftError } from '#base/index.ts'
import { Check, type OpenAt, type WriteOutcome } from '#content/index.ts'
import type { Descriptor } from '#oci/index.ts'
import { abortable } from './abortable.ts'
import { isAboutRights } from './auth/authorizer.ts'
import { failure } from './codes.ts'
import type { BodyBuffers } from './http/body-buffers.ts'
import { field } from './http/exchange.ts'
import { isRetryable, Retries } from './pace.ts'
import { blobPath, type Place, placeName, pushScope } from './place.ts'
import { openSource, readSource, readWholeSource, SourceFailed } from './push-source.ts'
import { uploadLocation } from './redirect.ts'
import { problemsOf, refusal } from './refusal.ts'
import type { Reply } from './registry-host.ts'
import type { RegistryMemory } from './registry-memory.ts'
import type { UploadJournal } from './upload-journal.ts'
import { UploadSession } from './upload-session.ts'

/** Up to this size a blob is held in memory and sent at once; beyond, it is streamed and can be taken up again. */
const wholeBytes = 1024 * 1024
/** Up to this size it is tried whether the registry takes a blob with a single request. */
const trialBytes = 64 * 1024
/** From this size on an upload is worth a line in the journal. */
const journalBytes = 4 * 1024 * 1024
/** What a request is cut down to where something on the way refuses larger ones. */
const cutBytes = 16 * 1024 * 1024

export interface PushMeans {
  readonly place: Place
  readonly memory: RegistryMemory
  readonly buffers: BodyBuffers
  readonly uploads: UploadJournal | undefined
}

/**
 * Pushes one blob that is not there: mounts it from a neighbour, or uploads it (distribution-spec, Pushing Blobs).
 *
 * @throws DIGEST_MISMATCH, SIZE_MISMATCH (the source is at fault), REGISTRY_DIGEST_REFUSED (the registry or the way to
 * it is), whatever `from` throws, and the codes of `RegistryHost.send`
 */
export async function pushBlob(
  means: PushMeans,
  content: Descriptor,
  from: OpenAt,
  signal: AbortSignal | undefined,
): Promise<WriteOutcome> {
  try {
    return await new BlobPush(means, content, from, signal).run()
  } catch (error) {
    throw error instanceof SourceFailed ? error.error : error
  }
}

class BlobPush {
  readonly #means: PushMeans
  readonly #content: Descriptor
  readonly #from: OpenAt
  readonly #signal: AbortSignal | undefined
  readonly #retries: Retries

  constructor(means: PushMeans, content: Descriptor, from: OpenAt, signal: AbortSignal | undefined) {
    this.#means = means
    this.#content = content
    this.#from = from
    this.#signal = signal
    this.#retries = new Retries(means.place.host.pace)
  }

  run(): Promise<WriteOutcome> {
    return this.#content.size <= wholeBytes ? this.#whole() : this.#streamed()
  }

  async #whole(): Promise<WriteOutcome> {
    const { memory, place } = this.#means
    const { size } = this.#content
    if (await this.#mounted()) return 'mounted'
    const bytes = await readWholeSource(this.#from, this.#content, this.#signal)
    const single = memory.takesSinglePost ?? size <= trialBytes
    for (;;) {
      let session: UploadSession
      if (single && memory.takesSinglePost !== false) {
        const reply = await this.#post({ digest: this.#content.digest }, bytes)
        if (reply.status === 201) {
          memory.takesSinglePost = true
          return 'copied'
        }
        memory.takesSinglePost = false
        session = reply.status === 202 ? this.#sessionOf(reply) : await this.#begin()
      } else session = await this.#begin()
      const reply = await place.host.send({
        method: 'PUT',
        to: session.finalUrl(this.#content),
        scope: pushScope(place),
        headers: { 'content-type': 'application/octet-stream' },
        body: bytes,
        answerWithinMs: place.host.pace.limits.commitMs,
        retries: this.#retries,
        signal: this.#signal,
      })
      if (await this.#settled(reply)) return 'copied'
    }
  }

  async #streamed(): Promise<WriteOutcome> {
    let session = await this.#takenUp()
    if (!session && (await this.#mounted())) return 'mounted'
    for (;;) {
      const offsetBefore = session?.offset ?? 0
      try {
        if (!session) {
          session = await this.#begin()
          await this.#remember(session)
        }
        if (await this.#send(session)) {
          await this.#forget()
          return 'copied'
        }
      } catch (error) {
        await this.#recover(error, session)
      }
      // The session is asked how far it came; where it is gone, a new one begins.
      const known: boolean = session !== undefined && (await session.refresh(this.#content, this.#retries))
      if (!known) session = undefined
      if (session && session.offset > offsetBefore) this.#retries.progressed()
    }
  }

  /** Sends what is missing and ends the upload; false where the session is to be asked, or begun anew. */
  async #send(session: UploadSession): Promise<boolean> {
    const { memory, place } = this.#means
    const { size } = this.#content
    while (session.offset < size) {
      const end = Math.min(size, session.offset + memory.maxRequestBytes)
      const reply = await session.patch(this.#content, this.#from, end)
      if (reply.status < 300) await reply.body.close()
      else if (await this.#mayGoOn(reply, end - session.offset)) return false
    }
    const reply = await place.host.send({
      method: 'PUT',
      to: session.finalUrl(this.#content),
      scope: pushScope(place),
      headers: { 'content-type': 'application/octet-stream' },
      answerWithinMs: place.host.pace.limits.commitMs,
      retries: this.#retries,
      signal: this.#signal,
    })
    return this.#settled(reply)
  }

  /** After a PATCH that was not taken: whether there is a way on. @throws what the refusal amounts to */
  async #mayGoOn(reply: Reply, sentBytes: number): Promise<boolean> {
    const { memory } = this.#means
    if (reply.status === 413 && sentBytes > cutBytes) {
      await reply.body.close()
      memory.maxRequestBytes = cutBytes
      return true
    }
    // 401: the token ran out in the meantime, and there is a new one. 404 and 416: the session knows better.
    const passing = isRetryable(reply.status) || [401, 404, 416].includes(reply.status)
    if (!passing || !(await this.#retries.again(field(reply.headers, 'retry-after'), this.#signal))) {
      throw await this.#refused(reply)
    }
    await reply.body.close()
    return true
  }

  /** Whether the last request made the blob visible; false where the upload has to begin anew. */
  async #settled(reply: Reply): Promise<boolean> {
    if (reply.status >= 200 && reply.status < 300 && reply.status !== 202) {
      await reply.body.close()
      return true
    }
    if (reply.status !== 404 && reply.status !== 416) throw await this.#refused(reply)
    // An answer that got lost is followed by "there is no such upload" although the blob is there.
    if (await this.#isThere()) {
      await reply.body.close()
      return true
    }
    if (!(await this.#retries.again(undefined, this.#signal))) throw await this.#refused(reply)
    await reply.body.close()
    return false
  }

  async #isThere(): Promise<boolean> {
    const { place } = this.#means
    const reply = await place.host.send({
      method: 'HEAD',
      to: blobPath(place, this.#content.digest),
      scope: pushScope(place),
      retries: this.#retries,
      signal: this.#signal,
    })
    await reply.body.close()
    return reply.status === 200
  }

  async #mounted(): Promise<boolean> {
    const { place, memory } = this.#means
    const { digest } = this.#content
    const neighbour = memory.places.elsewhere(digest, place.repository)
    if (neighbour === undefined) return false
    try {
      const reply = await this.#post({ mount: digest, from: neighbour }, undefined, neighbour)
      if (reply.status === 201) return true
      if (reply.status === 202) await this.#sessionOf(reply).cancel()
    } catch (error) {
      if (!isAboutRights(error)) throw error
    }
    memory.places.forget(digest, neighbour)
    return false
  }

  async #begin(): Promise<UploadSession> {
    const reply = await this.#post({}, undefined)
    if (reply.status !== 202) throw await this.#refused(reply)
    return this.#sessionOf(reply)
  }

  /** The reply's body is closed where it is a success. */
  async #post(query: Record<string, string>, body: Uint8Array | undefined, from?: string): Promise<Reply> {
    const { place } = this.#means
    const search = Object.keys(query).length > 0 ? `?${new URLSearchParams(query)}` : ''
    const reply = await place.host.send({
      method: 'POST',
      to: `/v2/${place.repository}/blobs/uploads/${search}`,
      scope: { ...pushScope(place), ...(from !== undefined && { from }) },
      headers: { 'content-type': 'application/octet-stream' },
      ...(body && { body }),
      retries: this.#retries,
      signal: this.#signal,
    })
    if (reply.status === 401 || reply.status === 403 || reply.status === 429 || reply.status >= 500) {
      throw await this.#refused(reply)
    }
    if (reply.status < 300 || Object.keys(query).length > 0) await reply.body.close()
    return reply
  }

  #sessionOf(reply: Reply): UploadSession {
    const { place, buffers } = this.#means
    const location = uploadLocation(reply.url, field(reply.headers, 'location'), place.host.mayConnect)
    return new UploadSession(place, buffers, this.#signal, location)
  }

  /** An upload that another process began, as far as it is known and still there. */
  async #takenUp(): Promise<UploadSession | undefined> {
    const { uploads, place, buffers } = this.#means
    const noted = this.#isJournaled ? await uploads?.get(this.#key) : undefined
    if (noted === undefined) return undefined
    try {
      const location = uploadLocation(await place.host.url('/', this.#signal), noted, place.host.mayConnect)
      const session = new UploadSession(place, buffers, this.#signal, location)
      if (await session.refresh(this.#content, this.#retries)) return session
    } catch (error) {
      this.#signal?.throwIfAborted()
      if (!isFailure(error)) throw error
    }
    await this.#forget()
    return undefined
  }

  async #remember(session: UploadSession): Promise<void> {
    if (this.#isJournaled) await this.#means.uploads?.set(this.#key, session.location.href)
  }

  async #forget(): Promise<void> {
    if (this.#isJournaled) await this.#means.uploads?.delete(this.#key)
  }

  get #isJournaled(): boolean {
    return this.#content.size >= journalBytes
  }

  get #key(): string {
    return `${placeName(this.#means.place)}@${this.#content.digest}`
  }

  /** Waits for another try after a fault of the connection; all else ends the push. */
  async #recover(error: unknown, session: UploadSession | undefined): Promise<void> {
    const { host } = this.#means.place
    if (error instanceof SourceFailed) {
      if (!this.#isJournaled || !this.#means.uploads) await session?.cancel()
      throw error
    }
    const fault = host.fault(error, this.#signal)
    if (!host.mayPass(fault) || !(await this.#retries.again(undefined, this.#signal))) throw fault
  }

  async #refused(reply: Reply): Promise<SealiftError> {
    const { host } = this.#means.place
    const problems = await problemsOf(reply, host.pace.limits, host.pace.now)
    if (
      reply.status === 400 &&
      problems.some(({ code }) => code === 'DIGEST_INVALID' || code === 'SIZE_INVALID')
    ) {
      await this.#forget()
      return this.#blame(reply)
    }
    return refusal(reply, problems, `take ${this.#content.digest}`)
  }

  /** The registry says that the digest is wrong: reads the source again to tell whose fault it is. */
  async #blame(reply: Reply): Promise<SealiftError> {
    const { digest } = this.#content
    const check = new Check(this.#content)
    const reader = await openSource(this.#from, 0)
    const buffer = new Uint8Array(this.#means.buffers.sizeBytes)
    const next = () => abortable(readSource(reader, buffer), this.#signal)
    try {
      for (let count = await next(); count > 0; count = await next()) check.update(buffer.subarray(0, count))
      check.finish()
    } catch (error) {
      if (isFailure(error)) return error
      throw error
    } finally {
      await reader.close()
    }
    return failure(
      'REGISTRY_DIGEST_REFUSED',
      `${reply.url.host} says that what it got is not ${digest}, but the source holds just that`,
      { detail: { host: reply.url.host, digest } },
    )
  }
}
