import type { BrokerServerLimits } from '#base/index.ts'
import type { BrokerFace } from '#broker/index.ts'

/**
 * Why the broker cannot serve now, or undefined: asked of it at most once in a while, however many probes there are,
 * and given up at the deadline of requests.
 */
export function readiness(
  face: Pick<BrokerFace, 'notReady'>,
  { healthMs, requestMs }: Pick<BrokerServerLimits, 'healthMs' | 'requestMs'>,
): () => Promise<string | undefined> {
  let asked: { readonly answer: Promise<string | undefined>; readonly at: number } | undefined
  return () => {
    const now = performance.now()
    if (!asked || now - asked.at >= healthMs) asked = { answer: ask(face, requestMs), at: now }
    return asked.answer
  }
}

async function ask(face: Pick<BrokerFace, 'notReady'>, requestMs: number): Promise<string | undefined> {
  const deadline = new AbortController()
  const late = Promise.withResolvers<string>()
  const timer = setTimeout(() => {
    deadline.abort()
    late.resolve('no answer')
  }, requestMs)
  try {
    return await Promise.race([face.notReady(deadline.signal), late.promise])
  } catch {
    return 'failed'
  } finally {
    clearTimeout(timer)
  }
}
