import { type CodeTable, failures } from '#base/index.ts'

export const codes = {
  USAGE: {
    meaning: 'The arguments do not fit together.',
    remedy: 'See the command with --help: it has examples.',
  },
  LOCATION_INVALID: {
    meaning: 'A text names neither a registry reference nor a file or folder that can be read.',
    remedy:
      'Write HOST/REPOSITORY:TAG, oci:DIR, oci-archive:FILE, docker-archive:FILE or the path of an archive.',
  },
  VERIFICATION_FAILED: {
    meaning: 'What was verified is damaged, incomplete, or holds what does not belong to it.',
    remedy: 'The list above says what. Fetch it again from where it came; do not install it.',
  },
  SETTINGS_INVALID: {
    meaning: 'A settings file or environment variable has an unknown name or a value that makes no sense.',
    remedy: 'Correct it; docs/settings.md lists the names.',
  },
  PROJECT_INVALID: {
    meaning: 'The project file is not YAML, or holds what a project file cannot hold.',
    remedy: 'Correct the line that the message names.',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
