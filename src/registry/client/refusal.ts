import { type Limits, parseJson, type SealiftError } from '#base/index.ts'
import { isObject } from '#oci/index.ts'
import { readAnswer } from './answer.ts'
import { failure } from './codes.ts'
import { field } from './http/exchange.ts'
import type { Reply } from './registry-host.ts'

/** What a registry says went wrong (distribution-spec, Error Codes). */
export interface RegistryProblem {
  readonly code: string
  readonly message: string
}

const shown = { problems: 3, codeChars: 60, messageChars: 200 }

/** Text from outside, made fit to be shown: nothing that moves a cursor or turns the direction, and not much of it. */
export function quote(text: string, maxChars: number = shown.messageChars): string {
  const clean = text.replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ').trim()
  return clean.length > maxChars ? `${clean.slice(0, maxChars)}…` : clean
}

/** The problems in an error body; none where it holds something else. */
export function parseProblems(bytes: Uint8Array): RegistryProblem[] {
  try {
    const body = parseJson(bytes, { maxBytes: bytes.length, maxDepth: 32 })
    const errors = isObject(body) && Array.isArray(body.errors) ? body.errors : []
    return errors
      .filter(isObject)
      .slice(0, shown.problems)
      .map(({ code, message }) => ({
        code: quote(typeof code === 'string' ? code : '', shown.codeChars),
        message: quote(typeof message === 'string' ? message : ''),
      }))
  } catch {
    return []
  }
}

/** The error body of a reply, read and let go; an unreadable one is as good as none. */
export async function problemsOf(
  reply: Reply,
  limits: Limits,
  now: () => number,
): Promise<RegistryProblem[]> {
  const bounds = { host: reply.url.host, maxBytes: limits.errorBytes, limits, now }
  return readAnswer(reply.body, bounds).then(parseProblems, () => [])
}

/** The failure that a reply amounts to. `what` is what was asked, as in "refused to ...". */
export function refusal(reply: Reply, problems: readonly RegistryProblem[], what: string): SealiftError {
  const { status, url } = reply
  const host = url.host
  const said = problems.map(({ code, message }) => [code, message].filter(Boolean).join(': ')).join('; ')
  const tail = said === '' ? `it answered ${status}` : `it answered ${status}, ${said}`
  const detail = { host, status, registryCodes: problems.map(({ code }) => code) }
  if (status === 401)
    return failure('REGISTRY_UNAUTHORIZED', `${host} wants credentials to ${what}: ${tail}`, { detail })
  if (status === 403)
    return failure('REGISTRY_FORBIDDEN', `${host} does not let you ${what}: ${tail}`, { detail })
  if (status === 413) return failure('REGISTRY_TOO_LARGE', `${host} refused to ${what}: ${tail}`, { detail })
  if (status === 405 || status === 501) {
    return failure('REGISTRY_UNSUPPORTED', `${host} cannot ${what}: ${tail}`, { detail })
  }
  if (status === 429 || (status === 503 && field(reply.headers, 'retry-after') !== undefined)) {
    const wait = quote(field(reply.headers, 'retry-after') ?? '', 40)
    const hint =
      wait === '' ? {} : { hint: `It asks to wait (Retry-After: ${wait}); then run the same command again.` }
    return failure('REGISTRY_BUSY', `${host} is too busy to ${what}: ${tail}`, { detail, ...hint })
  }
  if (status >= 500) return failure('REGISTRY_FAILED', `${host} failed to ${what}: ${tail}`, { detail })
  if (status >= 400) return failure('REGISTRY_REFUSED', `${host} refused to ${what}: ${tail}`, { detail })
  return failure('REGISTRY_ANSWER_INVALID', `${host} was asked to ${what}, but ${tail}`, { detail })
}
