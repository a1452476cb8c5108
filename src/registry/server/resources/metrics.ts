import type { Resource } from '../context.ts'

export const metrics: Resource = {
  notFound: 'UNKNOWN',
  methods: {
    GET: async ({ counters, gauges }, exchange) => {
      const text = counters.text(gauges())
      exchange.reply(200, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' }, Buffer.from(text))
    },
  },
}
