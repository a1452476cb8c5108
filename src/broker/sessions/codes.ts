import { type CodeTable, failures } from '#base/index.ts'

export const codes = {
  SESSION_LIMIT: {
    meaning: 'There are as many sessions of guests as the configuration allows.',
    remedy:
      'Ask again in a few minutes, when some have ended; raise `sessions.most` if so many guests are expected.',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
