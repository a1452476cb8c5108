import { type CodeTable, failures } from '#base/index.ts'

export const codes = {
  POLICY_NAME_INVALID: {
    meaning: 'A policy of the broker has no name that it can have.',
    remedy: 'Write `resource`, or `attestation/ID` (`attestation/default_cpu`, `attestation/default_gpu`).',
  },
  POLICY_PACKAGE_RESERVED: {
    meaning: 'A policy declares a package of the broker itself, or has data in its place.',
    remedy:
      'Write the rules in `package policy`, and others in packages that do not begin with `sealift`; give data another name.',
  },
  POLICY_NOT_FOUND: {
    meaning: 'The broker has no policy of this name, or not this version of it.',
    remedy: 'List what there is with `sealift broker policy show`.',
  },
  POLICY_BUSY: {
    meaning: 'Others change the same policy all the time.',
    remedy: 'Look at the version that is in force now, and set yours again if it is still wanted.',
  },
  POLICY_RECORD_INVALID: {
    meaning: "A policy in the broker's state cannot be read.",
    remedy: 'Set the policy again; bring back the state from a backup if its versions are needed.',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
