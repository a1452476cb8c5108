import { type Resource, unauthorized } from '../context.ts'

/** distribution-spec, Determining Support. Where there are passwords, clients learn of it here. */
export const base: Resource = {
  notFound: 'UNSUPPORTED',
  methods: {
    GET: async ({ hasPasswords }, exchange) => {
      if (hasPasswords && exchange.principal.kind === 'anonymous') {
        throw unauthorized('a user name and password are needed')
      }
      exchange.json(200, {})
    },
  },
}
