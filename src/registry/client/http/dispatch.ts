import type { Dispatcher } from 'undici'
import type { Limits } from '#base/index.ts'
import { BodyQueue } from './body-queue.ts'
import type { HttpRequest, HttpResponse } from './exchange.ts'
import { StallWatch } from './stall-watch.ts'

/** One exchange over undici's lowest interface: no streams, the body goes from the socket into a bounded queue. */
export function dispatchExchange(
  dispatcher: Dispatcher,
  request: HttpRequest,
  limits: Limits,
  now: () => number,
): Promise<HttpResponse> {
  const { signal } = request
  if (signal?.aborted) return Promise.reject(signal.reason)
  return new Promise((resolve, reject) => {
    const exchange = new DispatchedExchange(request, limits, now, resolve, reject)
    signal?.addEventListener('abort', exchange.abort, { once: true })
    dispatcher.dispatch(
      {
        origin: request.url.origin,
        path: request.url.pathname + request.url.search,
        method: request.method,
        headers: request.headers as Record<string, string>,
        // undici takes any async iterable; its types only know streams.
        body: (request.body ?? null) as Uint8Array | null,
        headersTimeout: request.answerWithinMs ?? limits.silenceMs,
        bodyTimeout: limits.silenceMs,
        // Otherwise undici closes the connection after each HEAD.
        ...(request.method === 'HEAD' && { reset: false }),
      },
      exchange,
    )
  })
}

class DispatchedExchange implements Dispatcher.DispatchHandler {
  readonly #request: HttpRequest
  readonly #limits: Limits
  readonly #now: () => number
  readonly #resolve: (response: HttpResponse) => void
  readonly #reject: (error: unknown) => void
  #controller: Dispatcher.DispatchController | undefined
  #body: BodyQueue | undefined

  constructor(
    request: HttpRequest,
    limits: Limits,
    now: () => number,
    resolve: (response: HttpResponse) => void,
    reject: (error: unknown) => void,
  ) {
    this.#request = request
    this.#limits = limits
    this.#now = now
    this.#resolve = resolve
    this.#reject = reject
  }

  /** Listens to the caller's signal. */
  readonly abort = (): void => {
    const reason = this.#request.signal?.reason
    this.#reject(reason)
    this.#body?.fail(reason)
    this.#controller?.abort(reason)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#request.signal?.aborted) controller.abort(this.#request.signal.reason)
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) return
    const { silenceMs, trickleBytes, waitingBytes } = this.#limits
    const watch = new StallWatch(this.#now, silenceMs, trickleBytes)
    this.#body = new BodyQueue(this.#request.url.host, controller, waitingBytes, watch)
    this.#resolve({ status, headers, body: this.#body })
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#body?.push(chunk)
  }

  onResponseEnd(): void {
    this.#done()
    this.#body?.end()
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#done()
    if (this.#body) this.#body.fail(error)
    else this.#reject(error)
  }

  #done(): void {
    this.#request.signal?.removeEventListener('abort', this.abort)
  }
}
