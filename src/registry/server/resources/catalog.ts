import { authorize, type Resource } from '../context.ts'
import { cutPage, parsePage } from '../paging.ts'

/** The repositories, in byte order (distribution's _catalog). */
export const catalog: Resource = {
  notFound: 'NAME_UNKNOWN',
  methods: {
    GET: async (context, exchange) => {
      await authorize(context, exchange, 'catalog')
      const page = parsePage(exchange.query, context.limits.pageEntries)
      const listed = await context.repositories.names({ ...page, limit: page.limit + 1 })
      const { names, headers } = cutPage('/v2/_catalog', page, listed)
      exchange.json(200, { repositories: names }, headers)
    },
  },
}
