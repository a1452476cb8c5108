/** Who acts: proved by whoever took the request in; a name alone proves nothing. */
export interface Principal {
  readonly kind: 'anonymous' | 'user' | 'key' | 'certificate' | 'service'
  /** User name, key id, certificate identity; empty for anonymous. */
  readonly name: string
  readonly groups?: readonly string[]
}

/** What one may do with content. */
export type Verb =
  | 'list'
  | 'pull'
  | 'push'
  | 'delete'
  | 'sign'
  | 'approve'
  | 'install'
  | 'administer'
  | 'audit'
  | 'override'

export type Role = 'owner' | 'releaser' | 'courier' | 'operator' | 'auditor'

/** These people have this role in these repositories. */
export interface Grant {
  readonly role: Role
  /** `user:NAME`, `group:NAME`, `key:ID`, `certificate:IDENTITY`, `service:NAME`, `anonymous` or `*`. */
  readonly to: readonly string[]
  /** Repository patterns: `shop/web`, `shop/*` (one segment), `shop/**` (any number). */
  readonly repositories: readonly string[]
}

/** Who may do what: the one model for registry, commands, admission and key broker. */
export interface AccessRules {
  /** `sha256:...` of their canonical JSON. */
  readonly digest: string
  readonly grants: readonly Grant[]
}
