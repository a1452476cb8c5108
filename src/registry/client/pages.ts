import { failure } from './codes.ts'
import { fields } from './http/exchange.ts'
import { nextLink } from './link.ts'
import type { Call, RegistryHost, Reply } from './registry-host.ts'

/** One page of a list, not yet parsed. */
export interface Page {
  readonly reply: Reply
  readonly bytes: Uint8Array
}

/**
 * The pages of a list, following `Link: rel="next"`: within the registry's own origin, no page twice, and not more
 * pages or bytes than the limits.
 *
 * @throws REGISTRY_ANSWER_INVALID, REGISTRY_REDIRECT_REFUSED, and the codes of `send`
 */
export async function* pages(host: RegistryHost, call: Call): AsyncGenerator<Page> {
  const { limits } = host.pace
  const seen = new Set<string>()
  let to: string | URL = call.to
  for (let count = 1; ; count++) {
    if (count > limits.pages) {
      throw failure(
        'REGISTRY_ANSWER_INVALID',
        `${host.registry} has a list of more than ${limits.pages} pages`,
      )
    }
    const page: Page = await host.ask({ ...call, to }, limits.answerBytes)
    yield page
    if (page.reply.status !== 200) return
    const target = nextLink(fields(page.reply.headers, 'link').join(', '))
    if (target === undefined) return
    const base: URL = await host.url('/', call.signal)
    const next = URL.parse(target, page.reply.url)
    if (next?.origin !== base.origin) {
      throw failure('REGISTRY_REDIRECT_REFUSED', `${host.registry} goes on with a list on another host`)
    }
    if (seen.has(next.href))
      throw failure('REGISTRY_ANSWER_INVALID', `${host.registry} has a list without end`)
    seen.add(next.href)
    to = next
  }
}
