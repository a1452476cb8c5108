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
  REFERENCE_NOT_FOUND: {
    meaning: 'There is no reference value of this name.',
    remedy: 'List them with `sealift broker reference ls`.',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
