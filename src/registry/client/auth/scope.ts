/** What a request needs to be allowed: one repository, and perhaps to read another one on the same registry. */
export interface Scope {
  readonly repository: string
  readonly actions: 'pull' | 'pull,push' | 'pull,push,delete'
  /** A repository to mount from. */
  readonly from?: string
}

/** The scopes to ask a token server for (distribution, docs/spec/auth/scope.md). */
export function scopeNames({ repository, actions, from }: Scope): string[] {
  // What concerns no repository (is the registry there at all?) needs no scope.
  if (repository === '') return []
  return [
    `repository:${repository}:${actions}`,
    ...(from !== undefined && from !== repository ? [`repository:${from}:pull`] : []),
  ]
}
