import { type CodeTable, failures } from '#base/index.ts'

export const codes = {
  RECORD_INVALID: {
    meaning: 'An entry of the audit log is none that Sealift writes.',
    remedy: 'Run `sealift audit verify`: it says whether the log itself is whole and where it was changed.',
  },
  AUDIT_OBJECT_MISSING: {
    meaning:
      'Evidence, a policy or trust material that a record names is not kept beside the log, or is damaged.',
    remedy:
      'Bring back the audit folder from its copy: what a digest names is the same wherever it comes from.',
  },
  NOT_HELD: {
    meaning: 'An index, bundle or archive was offered as what holds a content that it does not name.',
    remedy: 'This is a mistake in Sealift, or an attack on it: report it.',
  },
  QUESTION_INVALID: {
    meaning:
      'A gate was asked about nothing, or about a reference whose digest is another one than the content has.',
    remedy: 'Name at least one content, and each by the digest that its reference has.',
  },
  NOT_ADMITTED: {
    meaning: 'The policy does not let this content in.',
    remedy: 'The reasons above say what is missing. Ask the publisher for it, or the owner of the policy.',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
