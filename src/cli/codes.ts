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
    meaning:
      'A settings file has an unknown name, or it or an environment variable a value that makes no sense.',
    remedy: 'Correct it; docs/settings.md lists the names.',
  },
  NO_DRIVER: {
    meaning: 'Nothing on this machine can run an invocation image.',
    remedy: 'Install runc or crun, or allow user namespaces (util-linux unshare).',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
