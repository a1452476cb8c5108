import type { Repositories } from '#content/index.ts'
import { authorize, type Resource } from '../context.ts'
import { cutPage, parsePage } from '../paging.ts'

/** The repositories, in byte order (distribution's _catalog). */
export const catalog: Resource = {
  notFound: 'NAME_UNKNOWN',
  methods: {
    GET: async (context, exchange) => {
      const { visible } = await authorize(context, exchange, 'catalog')
      const page = parsePage(exchange.query, context.limits.pageEntries)
      const wanted = { ...page, limit: page.limit + 1 }
      const { repositories } = context
      const listed = visible
        ? await visibleNames(repositories, wanted, visible)
        : await repositories.names(wanted)
      const { names, headers } = cutPage('/v2/_catalog', page, listed)
      exchange.json(200, { repositories: names }, headers)
    },
  },
}

/** The first names of which `visible` is true, from a page's beginning on. */
async function visibleNames(
  repositories: Repositories,
  { after, limit }: { readonly after?: string | undefined; readonly limit: number },
  visible: (name: string) => boolean,
): Promise<readonly string[]> {
  const shown: string[] = []
  for (let last = after; shown.length < limit; ) {
    const names = await repositories.names({ ...(last !== undefined && { after: last }), limit })
    shown.push(...names.filter(visible))
    last = names.at(-1)
    if (names.length < limit) break
  }
  return shown.slice(0, limit)
}
