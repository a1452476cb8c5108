import type { TLSSocket } from 'node:tls'
import type { HttpBindings } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { type AdmissionLimits, admissionLimits, isFailure } from '#base/index.ts'
import { type Environment, environments } from '#gate/index.ts'
import type { Admission } from '../admission/admission.ts'
import { failure } from '../codes.ts'
import { type Answer, reviewAnswer } from '../review/answer.ts'
import { parseReview, type Review } from '../review/review.ts'
import type { AdmissionLog } from './admission-log.ts'
import type { Metrics } from './metrics.ts'
import { readBody } from './read-body.ts'

export interface AdmissionAppOptions {
  readonly admission: Pick<Admission, 'validate' | 'mutate'>
  readonly metrics: Metrics
  readonly log: AdmissionLog
  /** Why reviews cannot be answered yet, or not any more; undefined where they can. */
  readonly notReady: () => string | undefined
  /** Whether connections are to end with the answer that is under way. */
  readonly stopping?: () => boolean
  /** Whether a review counts only from somebody whose certificate was verified. */
  readonly clientCertificates?: boolean
  readonly limits?: AdmissionLimits
  /** Aborted when reviews under way are given up. */
  readonly signal: AbortSignal
}

type Env = { Bindings: HttpBindings }

const statusOf: Readonly<Record<string, ContentfulStatusCode>> = {
  REVIEW_TOO_LARGE: 413,
  REVIEW_BUSY: 429,
  REVIEW_STRANGER: 403,
  REVIEW_TIMEOUT: 504,
}

/**
 * The paths of the webhook: `/validate[/ENVIRONMENT]`, `/mutate`, `/healthz`, `/readyz`, `/metrics`. What is no review
 * is answered with a status other than 200, which the API server takes for a failure, so that `failurePolicy: Fail`
 * makes a denial of it; what is one gets a denial of our own, with the reason.
 */
export function admissionApp(options: AdmissionAppOptions): Hono<Env> {
  const { admission, metrics, notReady } = options
  const app = new Hono<Env>()
  app.use(async (context, next) => {
    await next()
    // While it stops, a connection ends with its answer.
    if (options.stopping?.()) context.header('connection', 'close')
  })
  app.get('/healthz', (context) => context.text('ok\n'))
  app.get('/readyz', (context) => {
    const why = notReady()
    return why === undefined ? context.text('ok\n') : context.text(`${why}\n`, 503)
  })
  app.get('/metrics', (context) =>
    context.text(metrics.text(), 200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }),
  )
  app.post('/mutate', (context) =>
    answered(context, options, 'mutate', (review, signal) => admission.mutate(review, signal)),
  )
  app.post('/validate/:environment?', (context) => {
    const asked = context.req.param('environment')
    const environment = environments.find((known) => known === asked)
    if (asked !== undefined && environment === undefined) return context.notFound()
    return answered(context, options, 'validate', (review, signal) =>
      admission.validate(review, environment as Environment | undefined, signal),
    )
  })
  app.notFound((context) => context.json({ code: 'NOT_FOUND', message: 'there is no such path' }, 404))
  return app
}

async function answered(
  context: Context<Env>,
  options: AdmissionAppOptions,
  webhook: 'validate' | 'mutate',
  judge: (review: Review, signal: AbortSignal) => Promise<Answer>,
): Promise<Response> {
  const { metrics, log, limits = admissionLimits } = options
  const deadline = new AbortController()
  const timer = setTimeout(
    () => deadline.abort(failure('REVIEW_TIMEOUT', `no answer could be had within ${limits.reviewMs} ms`)),
    limits.reviewMs,
  )
  const stop = () => deadline.abort(failure('REVIEW_TIMEOUT', 'the webhook stops'))
  options.signal.addEventListener('abort', stop, { once: true })
  metrics.inWork++
  try {
    const review = await receive(context, options, deadline.signal)
    const begun = performance.now()
    const answer = await judged(review, judge, deadline.signal, log)
    const durationMs = performance.now() - begun
    tell(options, webhook, review, answer, durationMs)
    return context.json(reviewAnswer(review.uid, answer, limits))
  } catch (error) {
    const { code, message } = isFailure(error) ? error : failure('REVIEW_INVALID', 'the request failed')
    const status = statusOf[code] ?? 400
    metrics.refused(code)
    log({ event: 'refused', level: 'warn', code, status, message })
    // What is left of the body is not read: the connection goes with it.
    return context.json({ code, message }, status, { connection: 'close' })
  } finally {
    metrics.inWork--
    clearTimeout(timer)
    options.signal.removeEventListener('abort', stop)
  }
}

/** @throws REVIEW_BUSY, REVIEW_STRANGER, REVIEW_TOO_LARGE, REVIEW_INVALID, REVIEW_TIMEOUT */
async function receive(
  context: Context<Env>,
  { metrics, clientCertificates = false, limits = admissionLimits }: AdmissionAppOptions,
  signal: AbortSignal,
): Promise<Review> {
  const { incoming } = context.env
  if (clientCertificates && !(incoming.socket as TLSSocket).authorized) {
    throw failure('REVIEW_STRANGER', 'no certificate of a known API server was shown')
  }
  if (metrics.inWork > limits.requests) {
    throw failure('REVIEW_BUSY', `more than ${limits.requests} reviews are in work`)
  }
  const type = incoming.headers['content-type']?.split(';')[0]?.trim().toLowerCase()
  if (type !== 'application/json') throw failure('REVIEW_INVALID', 'the content type is not application/json')
  const maxBytes = limits.reviewBytes
  const body = await readBody(
    incoming,
    {
      maxBytes,
      tooLarge: () => failure('REVIEW_TOO_LARGE', `the review is over ${maxBytes} bytes`),
      brokenOff: () => failure('REVIEW_INVALID', 'the review ended before it was whole'),
    },
    signal,
  )
  return parseReview(body, limits)
}

/** An answer in any case: whatever goes wrong with a review is a denial. */
async function judged(
  review: Review,
  judge: (review: Review, signal: AbortSignal) => Promise<Answer>,
  signal: AbortSignal,
  log: AdmissionLog,
): Promise<Answer> {
  try {
    return await judge(review, signal)
  } catch (thrown) {
    const error: unknown = signal.aborted ? signal.reason : thrown
    const denied = { allowed: false, reason: 'InternalError', audit: { decision: 'failed' } } as const
    if (isFailure(error)) {
      const { code, message, hint } = error
      const lines = ['Sealift does not admit it:', `${message} [${code}]${hint === '' ? '' : `; ${hint}`}`]
      if (code === 'REVIEW_INVALID')
        return { ...denied, outcome: 'invalid', lines, code: 400, reason: 'BadRequest' }
      if (code === 'REVIEW_TOO_LARGE') {
        return { ...denied, outcome: 'invalid', lines, code: 413, reason: 'RequestEntityTooLarge' }
      }
      if (code === 'REVIEW_TIMEOUT')
        return { ...denied, outcome: 'timeout', lines, code: 504, reason: 'Timeout' }
      return { ...denied, outcome: 'failed', lines, code: 500 }
    }
    log({ event: 'failure', level: 'error', uid: review.uid, message: String(error) })
    const lines = ['Sealift does not admit it: the webhook failed, see its log']
    return { ...denied, outcome: 'failed', lines, code: 500 }
  }
}

function tell(
  { metrics, log }: AdmissionAppOptions,
  webhook: 'validate' | 'mutate',
  review: Review,
  { allowed, outcome, lines, audit }: Answer,
  durationMs: number,
): void {
  metrics.reviewed(webhook, outcome, durationMs)
  if (!allowed)
    for (const reason of audit?.reasons?.split(',') ?? [outcome.toUpperCase()]) metrics.denied(reason)
  const { uid, operation, kind, namespace, name, dryRun, principal } = review
  const entry = audit?.entry
  log({
    event: 'review',
    level: allowed ? 'info' : 'warn',
    webhook,
    ...{ uid, operation, kind, namespace, name, dryRun, outcome, lines },
    user: principal.name,
    ...(entry !== undefined && { entry }),
    durationMs: Math.round(durationMs * 1000) / 1000,
  })
}
