import { type CodeTable, failures } from './error.ts'

export const codes = {
  JSON_INVALID: {
    meaning: 'The bytes are not JSON in UTF-8.',
    remedy: 'Check that the file is the one you meant and that it arrived whole.',
  },
  JSON_TOO_LARGE: {
    meaning: 'A JSON document is larger than its limit.',
    remedy: 'A document of this kind is never that large: treat the content as damaged or hostile.',
  },
  JSON_TOO_DEEP: {
    meaning: 'A JSON document is nested deeper than the limit.',
    remedy: 'A document of this kind is never that deep: treat the content as damaged or hostile.',
  },
  JSON_FORBIDDEN_KEY: {
    meaning: 'A JSON document names the key "__proto__", or the same key twice in one object.',
    remedy: 'Two readers could understand such a document differently: ask its publisher for a clean one.',
  },
  FILE_SYSTEM: {
    meaning: 'The operating system refused a file operation.',
    remedy: 'Check the path, its permissions and the state of the disk.',
  },
  DISK_FULL: {
    meaning: 'There is not enough free space, found before the first byte or while writing.',
    remedy: 'Free some space, or write to another disk; then run the same command again, it resumes.',
  },
  INTERRUPTED: {
    meaning: 'The operation was stopped by a signal.',
    remedy: 'Run the same command again: it resumes.',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
