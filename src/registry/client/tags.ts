import { pageOf } from '#content/index.ts'
import { isObject } from '#oci/index.ts'
import { parseAnswer } from './answer.ts'
import { failure } from './codes.ts'
import { pages } from './pages.ts'
import { type Place, pullScope } from './place.ts'
import { parseProblems, refusal } from './refusal.ts'

/**
 * Tags in byte order, all pages of them (distribution-spec, Listing Tags). A repository that is not there has none.
 *
 * @throws REGISTRY_ANSWER_INVALID, REGISTRY_REDIRECT_REFUSED, and the codes of `RegistryHost.send`
 */
export async function listTags(
  place: Place,
  page: { readonly after?: string; readonly limit?: number },
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const { host, repository } = place
  const names = new Set<string>()
  // Some registries do not sort, so all pages are needed to know which names come first.
  const call = { method: 'GET', to: `/v2/${repository}/tags/list`, scope: pullScope(place), signal } as const
  for await (const { reply, bytes } of pages(host, call)) {
    if (reply.status === 404) break
    if (reply.status !== 200) throw refusal(reply, parseProblems(bytes), 'list tags')
    const list = parseAnswer(bytes, host.registry, 'the list of tags')
    const tags = isObject(list) ? (list.tags ?? []) : undefined
    if (!Array.isArray(tags) || !tags.every((tag) => typeof tag === 'string')) {
      throw failure('REGISTRY_ANSWER_INVALID', `${host.registry} lists tags in something that is not a list`)
    }
    for (const tag of tags as string[]) names.add(tag)
    if (names.size > host.pace.limits.graphNodes) {
      throw failure('REGISTRY_ANSWER_INVALID', `${host.registry} lists more tags than anybody has`)
    }
  }
  return pageOf(names, page)
}
