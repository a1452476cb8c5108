import { type CodeTable, failures } from '#base/index.ts'

export const codes = {
  ACCESS_RULES_INVALID: {
    meaning: 'A file of access rules is not YAML, or says something that is not known.',
    remedy: 'Correct what the message names; docs/access.md has the whole form.',
  },
  PRINCIPAL_INVALID: {
    meaning: 'A text does not name somebody who can act.',
    remedy: 'Write user:NAME, key:ID, certificate:IDENTITY, service:NAME or anonymous.',
  },
  ACCESS_DENIED: {
    meaning: 'No grant allows this to this principal in this repository.',
    remedy: 'Ask an owner of the repository for a role that may (docs/access.md).',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
