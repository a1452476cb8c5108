/** Bounds on definitions from outside and on the values checked against them. */
export const definitionLimits = {
  /** Deepest nesting of schemas in one definition. */
  schemaDepth: 32,
  /** Most schemas in one definition. */
  schemaCount: 2000,
  /** Longest regular expression, in UTF-16 units. */
  patternLength: 1000,
  /** Largest value of a parameter or output, in bytes of its text or JSON. */
  valueBytes: 16 * 1024 * 1024,
  /** Longest that one check may compute, in milliseconds: what stops a regular expression that never ends. */
  checkMs: 1000,
} as const

export type DefinitionLimits = { readonly [K in keyof typeof definitionLimits]: number }
