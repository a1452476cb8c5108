import type { Resource } from '../context.ts'

/** Whether requests can be served: 503 while the server stops, or when its store does not answer. */
export const health: Resource = {
  notFound: 'UNKNOWN',
  methods: {
    GET: async ({ repositories, stopping }, exchange) => {
      const answers = async () => {
        await repositories.names({ limit: 1 })
        return true
      }
      const healthy = !stopping() && (await answers().catch(() => false))
      exchange.json(
        healthy ? 200 : 503,
        { status: healthy ? 'ok' : 'unavailable' },
        { 'Cache-Control': 'no-store' },
      )
    },
  },
}
