import { type CodeTable, failures } from '#base/index.ts'

export const codes = {
  BROKER_SESSION_UNKNOWN: {
    meaning: 'A request came without a session, or with one that has ended.',
    remedy: 'Attest again; guest clients do so by themselves.',
  },
  BROKER_PROTOCOL_OFF: {
    meaning: 'The guest speaks a version of the protocol that the configuration does not list.',
    remedy: 'Add the version under `protocols` in broker.yaml, or update the guest components.',
  },
  BROKER_TEE_OFF: {
    meaning: 'The guest says that it runs in a TEE whose evidence is not switched on.',
    remedy: 'List the TEE under `tees` in broker.yaml, if its evidence is to be believed.',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
