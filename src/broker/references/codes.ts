import { type CodeTable, failures } from '#base/index.ts'

export const codes = {
  REFERENCES_BUSY: {
    meaning: 'Others change the reference values all the time.',
    remedy: 'Try again.',
  },
  REFERENCES_RECORD_INVALID: {
    meaning: "The reference values in the broker's state cannot be read.",
    remedy: 'Bring back the state from a backup, or remove `references/values` and import them again.',
  },
  REFERENCES_TOO_MANY: {
    meaning: 'There would be more reference values than the broker keeps.',
    remedy: 'Remove those that are not needed any more.',
  },
  REFERENCE_STATEMENT_INVALID: {
    meaning:
      'A signed statement that was to give reference values is malformed, or does not say what its rule looks for.',
    remedy:
      'Send a Sigstore bundle or DSSE envelope with an in-toto statement, and check the pointers of the rule in broker.yaml.',
  },
  REFERENCE_STATEMENT_REFUSED: {
    meaning:
      'A statement was not signed by somebody who may say what the reference values are, or says it no more.',
    remedy: 'Add who signed it under `references.statements` in broker.yaml, if you trust them for it.',
  },
  REFERENCE_NOT_FOUND: {
    meaning: 'There is no reference value of this name.',
    remedy: 'List them with `sealift broker reference ls`.',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
