/** Who acts: proved by whoever took the request in; a name alone proves nothing. */
export interface Principal {
  readonly kind: 'anonymous' | 'user' | 'key' | 'certificate' | 'service'
  /** User name, key id, certificate identity; empty for anonymous. */
  readonly name: string
  /** Groups that were proved together with the name; the rules may name more members of their own. */
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
  | 'carry'
  | 'install'
  | 'administer'
  | 'audit'
  | 'override'

export type Role = 'owner' | 'releaser' | 'courier' | 'operator' | 'auditor'

/** These people have this role in these repositories. */
export interface Grant {
  readonly role: Role
  /**
   * `user:NAME`, `group:NAME`, `key:ID`, `certificate:IDENTITY`, `service:NAME`, `anonymous`, or `*`: everybody who
   * has proved who they are. Strangers are only ever meant by `anonymous`, which means everybody.
   */
  readonly to: readonly string[]
  /** Repository patterns: `shop/web`, `shop/*` (one segment), `shop/**` (one or more), `**` (every one). */
  readonly repositories: readonly string[]
}

/** Who may do what: the one model for registry, commands, admission and key broker. */
export interface AccessRules {
  /** `sha256:...` of their canonical JSON. */
  readonly digest: string
  readonly grants: readonly Grant[]
  /** Members (`user:NAME` and so on) of groups that no login tells of. */
  readonly groups: Readonly<Record<string, readonly string[]>>
}
