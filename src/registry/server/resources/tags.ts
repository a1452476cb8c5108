import type { Repository } from '#content/index.ts'
import type { Resource } from '../context.ts'
import { findReadable } from '../find-readable.ts'
import { cutPage, parsePage } from '../paging.ts'
import { repositoryOf } from './parameters.ts'

/** distribution-spec, Listing Tags: in byte order, `last` exclusive. */
export const tags: Resource = {
  notFound: 'NAME_UNKNOWN',
  methods: {
    GET: async (context, exchange) => {
      const name = repositoryOf(exchange)
      const page = parsePage(exchange.query, context.limits.pageEntries)
      const look = (repository: Repository) => repository.tags({ ...page, limit: page.limit + 1 })
      const { found } = await findReadable(context, exchange, name, 'NAME_UNKNOWN', look, 'list')
      const { names, headers } = cutPage(`/v2/${name}/tags/list`, page, found)
      exchange.json(200, { name, tags: names }, headers)
    },
  },
}
