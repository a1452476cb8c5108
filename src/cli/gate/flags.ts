/** By which policy content is let in, and where that is written down. */
export interface GateFlags {
  readonly policy?: string
  readonly environment?: (typeof environmentNames)[number]
  readonly audit?: string
  readonly override?: readonly string[]
}

/** As in the gate room, which is too heavy to be loaded for a description; a test holds them equal. */
export const environmentNames = ['build', 'trial', 'production'] as const

export const gateFlags = {
  policy: {
    kind: 'parsed',
    parse: String,
    optional: true,
    placeholder: 'FILE',
    brief: 'Trust policy (YAML, or a folder of Rego) that decides what is let in; else the setting policy',
  },
  environment: {
    kind: 'enum',
    values: environmentNames,
    optional: true,
    brief: 'Whose obligations of the policy count; production where nobody says',
  },
  override: {
    kind: 'parsed',
    parse: String,
    variadic: true,
    optional: true,
    placeholder: 'FILE',
    brief: 'A signed override (`sealift override -o`) that the policy may let count',
  },
  audit: {
    kind: 'parsed',
    parse: String,
    optional: true,
    placeholder: 'DIR',
    brief: 'Where decisions are recorded; else the setting auditDir, or a folder in the state directory',
  },
} as const
