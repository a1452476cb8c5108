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
  POLICY_TESTS_FAILED: {
    meaning: 'Tests beside a policy fail, or there are none.',
    remedy: 'The list above says which; `sealift policy explain` shows what rules come to for one evidence.',
  },
  FILE_EXISTS: {
    meaning: 'A file that must be new is there already; keys are never overwritten.',
    remedy: 'Choose another name with --out, or move the old file away.',
  },
  NOT_ADMITTED: {
    meaning: 'The trust policy does not let this content in.',
    remedy: 'The reasons say what is missing. Ask the publisher for it, or the owner of the policy.',
  },
  RECEIPT_NOTHING: {
    meaning: 'A receipt was wanted for a content that no decision in the audit log has let in.',
    remedy: 'Verify it first with a policy: `sealift verify LOCATION --policy FILE`; that is recorded.',
  },
  RELEASE_OVERDUE: {
    meaning: 'A publisher promised another release by a time that has passed, and none came.',
    remedy: 'Ask the publisher over another way whether there is one: somebody may be holding it back.',
  },
  BROKER_REFUSED: {
    meaning: 'The key broker does not let you do this.',
    remedy:
      'Ask an owner for a grant in its access rules; over the network, show the key that it knows (--admin-key).',
  },
  BROKER_NOT_FOUND: {
    meaning: 'The key broker has no such thing.',
    remedy: 'List what there is: `sealift broker resource ls`, `policy show`, `reference ls`, `leases`.',
  },
  BROKER_REQUEST_REFUSED: {
    meaning: 'The key broker cannot do what was asked.',
    remedy: 'Correct what the message names.',
  },
  BROKER_UNREACHABLE: {
    meaning: 'The key broker does not answer.',
    remedy: "Check the address (the admins' listener, not the guests') and that `sealift broker serve` runs.",
  },
  BROKER_UNSOUND: {
    meaning: '`broker check` found something that would keep the broker from working.',
    remedy: 'Correct what the list above says.',
  },
  NOT_PERMITTED: {
    meaning: 'The access rules do not let whoever runs the command do this with this content.',
    remedy:
      'Let somebody do it who has the role, or ask the owner of the rules for a grant (docs/access.md).',
  },
  AUDIT_NOT_FOUND: {
    meaning: 'There is no audit log in the folder.',
    remedy: 'Name the folder with --audit or the setting auditDir; it is made with the first decision.',
  },
  AUDIT_KEY_INVALID: {
    meaning: 'The key with which the audit log signs its checkpoints cannot be read, or is not the log’s.',
    remedy: 'Bring back log.key and log.vkey from a copy. A new key needs a new folder.',
  },
  NO_DRIVER: {
    meaning: 'Nothing on this machine can run an invocation image.',
    remedy: 'Install runc or crun, or allow user namespaces (util-linux unshare).',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
