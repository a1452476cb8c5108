import { type CodeTable, failures } from '#base/index.ts'

export const codes = {
  BROKER_CONFIGURATION_INVALID: {
    meaning: 'broker.yaml, or a file that it names, cannot be used.',
    remedy:
      'Correct what the message names; docs/broker.md has every member. `sealift broker check DIR` tells all at once.',
  },
  BROKER_EXISTS: {
    meaning: 'There is a broker in the directory already.',
    remedy: 'Use it as it is, or name another directory.',
  },
  BROKER_POLICY_DENIED: {
    meaning: 'The resource policy did not allow what a guest asked for, or there is none.',
    remedy: 'Look at the entry with `sealift audit show`; change the policy if it should be allowed.',
  },
  BROKER_PATH_UNKNOWN: {
    meaning: 'There is no such call, or no plugin of this name.',
    remedy: 'Check the path; plugins are switched on in broker.yaml.',
  },
  BROKER_ADMIN_ONLY: {
    meaning: 'A guest asked for what is for admins.',
    remedy: 'Administer over the admin listener, or with `--broker DIR`.',
  },
  BROKER_ADMIN_DENIED: {
    meaning: 'The access rules do not let this admin do this.',
    remedy: 'Ask an owner for a grant on the pseudo-repository that the message names (docs/broker.md).',
  },
  BROKER_REQUEST_INVALID: {
    meaning: 'A request is not of the form that the call takes.',
    remedy: 'Correct what the message names.',
  },
  BROKER_SESSION_UNKNOWN: {
    meaning: 'A request came without a session, or with one that has ended.',
    remedy: 'Attest again; guest clients do so by themselves.',
  },
  BROKER_TOKEN_TOO_LONG: {
    meaning:
      'What a guest says of itself, its init-data and devices above all, makes a token that nobody would take.',
    remedy:
      'Shorten the init-data of the guest: what is large belongs into a resource, its digest into the init-data.',
  },
  BROKER_PROTOCOL_OFF: {
    meaning: 'The guest speaks a version of the protocol that the configuration does not list.',
    remedy: 'Add the version under `protocols` in broker.yaml, or update the guest components.',
  },
  BROKER_TEE_OFF: {
    meaning: 'The guest says that it runs in a TEE whose evidence is not switched on.',
    remedy: 'List the TEE under `tees` in broker.yaml, if its evidence is to be believed.',
  },
  BROKER_STATE_MISSING: {
    meaning: "`broker check` found no state: a broker's policies, reference values, keys and leases.",
    remedy: 'Restore it from a backup, or make a new broker with `sealift broker init`.',
  },
  BROKER_POLICY_MISSING: {
    meaning: '`broker check` found no policy where one decides: what it would decide is denied.',
    remedy: 'Put one in force with `sealift broker policy set`.',
  },
  BROKER_REFERENCE_EXPIRED: {
    meaning: '`broker check` found reference values that count no more.',
    remedy: 'Set them anew or remove them (`sealift broker reference set`, `rm`).',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
