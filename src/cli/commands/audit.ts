import { buildCommand, buildRouteMap } from '@stricli/core'
import type { AuditRecord } from '#gate/index.ts'
import type { Context } from '../context.ts'
import { described, type FormatFlag, formatAlias, formatFlag } from '../flags.ts'
import { gateFlags } from '../gate/flags.ts'

const auditFlags = {
  audit: {
    ...gateFlags.audit,
    placeholder: 'DIR|URL',
    brief:
      'The audit folder, or the database of a key broker (postgres://USER@HOST/DATABASE); else the setting auditDir, or the folder in the state directory',
  },
  auditPasswordFile: {
    kind: 'parsed',
    parse: String,
    optional: true,
    placeholder: 'FILE',
    brief: 'Password for the database from this file; else from SEALIFT_AUDIT_PASSWORD',
  },
  logKey: {
    kind: 'parsed',
    parse: String,
    optional: true,
    placeholder: 'VKEY',
    brief: 'The log’s verifier key as you know it (a text or a file); else the one beside the log',
  },
} as const
const rangeFlags = {
  from: {
    kind: 'parsed',
    parse: entryNumber,
    optional: true,
    placeholder: 'ENTRY',
    brief: 'Begin with this entry; 0 is the first one',
  },
  to: {
    kind: 'parsed',
    parse: entryNumber,
    optional: true,
    placeholder: 'ENTRY',
    brief: 'End before this entry',
  },
} as const

function entryNumber(value: string): number {
  if (!/^\d{1,15}$/.test(value)) throw new SyntaxError(`${value} is not the number of an entry`)
  return Number(value)
}

export interface AuditFlags {
  readonly audit?: string
  readonly auditPasswordFile?: string
  readonly logKey?: string
}
interface RangeFlags {
  readonly from?: number
  readonly to?: number
}

export type AuditListFlags = FormatFlag &
  AuditFlags &
  RangeFlags & { readonly denied: boolean; readonly type?: AuditRecord['type'] }

const list = buildCommand<AuditListFlags, [], Context>({
  loader: async () => (await import('../run/audit-list.ts')).run,
  parameters: {
    flags: {
      ...formatFlag,
      ...auditFlags,
      ...rangeFlags,
      denied: { kind: 'boolean', default: false, brief: 'Only what was refused' },
      type: {
        kind: 'enum',
        values: ['decision', 'evaluation', 'access', 'receipt'],
        optional: true,
        brief: 'Only entries of this type',
      },
    },
    aliases: formatAlias,
  },
  docs: {
    brief: 'List what was decided, read and received',
    fullDescription: described(
      'Lists the entries of the audit log, each verified against the signed checkpoint: when, who, what, and whether it was allowed.',
      [
        'sealift audit list',
        'sealift audit list --denied --from 100 -o json',
        'sealift audit list --type evaluation --audit postgres://sealift@db.lab/broker --audit-password-file db.password',
      ],
    ),
  },
})

export type AuditShowFlags = FormatFlag & AuditFlags

const show = buildCommand<AuditShowFlags, [number], Context>({
  loader: async () => (await import('../run/audit-show.ts')).run,
  parameters: {
    flags: { ...formatFlag, ...auditFlags },
    aliases: formatAlias,
    positional: {
      kind: 'tuple',
      parameters: [{ parse: entryNumber, placeholder: 'ENTRY', brief: 'The number of the entry' }],
    },
  },
  docs: {
    brief: 'Show one entry with its evidence, and the proof that it is in the log',
    fullDescription: described(
      'Shows an entry whole: the question, the facts that the proofs gave, the decision with its reasons, and which policy and trust material it rests on.',
      ['sealift audit show 42', 'sealift audit show 42 -o json'],
    ),
  },
})

export type AuditVerifyFlags = FormatFlag & AuditFlags & { readonly checkpoint?: string }

const verify = buildCommand<AuditVerifyFlags, [], Context>({
  loader: async () => (await import('../run/audit-verify.ts')).run,
  parameters: {
    flags: {
      ...formatFlag,
      ...auditFlags,
      checkpoint: {
        kind: 'parsed',
        parse: String,
        optional: true,
        placeholder: 'FILE',
        brief: 'An earlier checkpoint, which the log must continue',
      },
    },
    aliases: formatAlias,
  },
  docs: {
    brief: 'Check that the log was not rewritten, and that all it names is there',
    fullDescription: described(
      'Checks the checkpoint’s signature, hashes every entry into the root, and looks for everything that the entries name. Given a checkpoint of last month, it shows that nothing before it was changed. Exits with 5 where something is wrong.',
      [
        'sealift audit verify',
        'sealift audit verify --checkpoint last-month.checkpoint --log-key audit.vkey',
      ],
    ),
  },
})

export type AuditReplayFlags = FormatFlag & AuditFlags & RangeFlags

const replay = buildCommand<AuditReplayFlags, [], Context>({
  loader: async () => (await import('../run/audit-replay.ts')).run,
  parameters: { flags: { ...formatFlag, ...auditFlags, ...rangeFlags }, aliases: formatAlias },
  docs: {
    brief: 'Decide again from the stored evidence, and tell any difference',
    fullDescription: described(
      'Judges each stored proof again under the trust material and at the moment of its record, lets the stored policy decide again, and compares. Nothing is asked of the network. Exits with 5 where an answer differs.',
      ['sealift audit replay', 'sealift audit replay --from 1000 --to 2000 -o json'],
    ),
  },
})

export const exportForms = ['ocsf', 'cef', 'syslog', 'vsa', 'json'] as const
export type AuditExportFlags = AuditFlags & RangeFlags & { readonly as: (typeof exportForms)[number] }

const exportCommand = buildCommand<AuditExportFlags, [], Context>({
  loader: async () => (await import('../run/audit-export.ts')).run,
  parameters: {
    flags: {
      ...auditFlags,
      ...rangeFlags,
      as: { kind: 'enum', values: exportForms, default: 'json', brief: 'The form of the lines' },
    },
  },
  docs: {
    brief: 'Write the log for a SIEM, one line an entry',
    fullDescription: described(
      'Writes entries to stdout: OCSF (JSON), CEF, syslog (RFC 5424), SLSA verification summaries, or as they are in the log.',
      ['sealift audit export --as ocsf', 'sealift audit export --as cef --from 100 | logger -n siem.lab'],
    ),
  },
})

/** `sealift audit ...` */
export const audit = buildRouteMap<'list' | 'show' | 'verify' | 'replay' | 'export', Context>({
  routes: { list, show, verify, replay, export: exportCommand },
  docs: { brief: 'What was decided, by what, and whether it still holds' },
})
