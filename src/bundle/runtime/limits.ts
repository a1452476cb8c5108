/** Bounds on what a run tool may give back. */
export const runtimeLimits = {
  /** Largest output, in bytes. */
  outputBytes: 16 * 1024 * 1024,
  /** Most that is kept of one run's log, in bytes. */
  logBytes: 64 * 1024 * 1024,
} as const

export type RuntimeLimits = { readonly [K in keyof typeof runtimeLimits]: number }
