import { type CodeTable, failures } from '#base/index.ts'

export const codes = {
  RESOURCE_CONFIGURATION_INVALID: {
    meaning: 'The configuration of stores, facts and routes is not as it must be.',
    remedy: 'Correct what the message names.',
  },
  RESOURCE_PATH_INVALID: {
    meaning: 'The path of a resource is not REPOSITORY/TYPE/TAG.',
    remedy: 'Each of the three has letters, digits and _.-, and begins with a letter, a digit or _.',
  },
  RESOURCE_QUERY_INVALID: {
    meaning:
      'The query of a request for a resource has too many or too long parameters, or one that is no text.',
    remedy: 'Give each parameter once, as text.',
  },
  RESOURCE_METHOD_INVALID: {
    meaning: 'A resource was asked for with a method that it does not have.',
    remedy: 'Use GET, POST, PUT or DELETE with REPOSITORY/TYPE/TAG; GET alone lists.',
  },
  RESOURCE_FACT_INVALID: {
    meaning: 'Path, query or init-data do not say what is needed to tell which resource is meant.',
    remedy: 'Compare the request and the init-data with the facts in the configuration.',
  },
  RESOURCE_NOT_FOUND: {
    meaning: 'There is no such resource.',
    remedy: 'Check the path; an admin can list what is there.',
  },
  RESOURCE_FORBIDDEN: {
    meaning: 'Whoever asked may not do this with the resource.',
    remedy: 'The verbs of the store, in the configuration, name the roles that may.',
  },
  RESOURCE_BUSY: {
    meaning: 'Others changed the same resource at the same time, again and again. Nothing was changed.',
    remedy: 'Ask again.',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
