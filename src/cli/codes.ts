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
  PASSWORD_MISSING: {
    meaning: 'A password is needed, and there is neither one given nor a terminal to ask at.',
    remedy: 'Give it by --password-file, --password-env, SEALIFT_PASSWORD or COSIGN_PASSWORD.',
  },
  PASSWORD_INVALID: {
    meaning: 'What was given as a password cannot be one: typed differently the second time, or too long.',
    remedy: 'Run the command again.',
  },
  FILE_EXISTS: {
    meaning: 'A file that must be new is there already; keys are never overwritten.',
    remedy: 'Choose another name with --out, or move the old file away.',
  },
  NO_DRIVER: {
    meaning: 'Nothing on this machine can run an invocation image.',
    remedy: 'Install runc or crun, or allow user namespaces (util-linux unshare).',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
