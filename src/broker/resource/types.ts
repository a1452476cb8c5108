import type { Role } from '#access/index.ts'

/**
 * What is asked for, in one form, wherever it was said: what routes, keys and the policy see. Facts are what the
 * configuration's extractors found in path, query and init-data.
 */
export interface ResourceDescription {
  readonly repository: string
  readonly type: string
  readonly tag: string
  readonly query: Readonly<Record<string, string>>
  readonly facts: Readonly<Record<string, string>>
}

/** What can be done in a store: `write` sets what is not there, `rotate` replaces what is. */
export type StoreVerb = 'read' | 'list' | 'write' | 'rotate' | 'delete'

/** An attested guest, whoever holds a client certificate of the broker's, or an admin with a role on the repository. */
export type StoreUser = 'guest' | 'certificate' | Role

/** Where a fact comes from. */
export type FactSource =
  /** A name of the path, or its part at `at` (from 0) where `split` cuts it. */
  | { readonly path: 'repository' | 'type' | 'tag'; readonly split?: string; readonly at?: number }
  | { readonly query: string }
  /**
   * A JSON pointer (RFC 6901) into the init-data of an attested guest. An admin has none, and says the fact as the
   * query parameter of the fact's name; a guest's parameter of that name says nothing.
   */
  | { readonly initData: string }

export type Fact = FactSource & {
  /** Without it the request is refused. */
  readonly required?: boolean
  /** Patterns, of which one must match. */
  readonly oneOf?: readonly string[]
}

/** Where a store lies. Relative paths are relative to the configuration's directory. */
export type StorePlace =
  | { readonly kind: 'files'; readonly path: string }
  | { readonly kind: 'sqlite'; readonly path: string }
  | {
      readonly kind: 'postgres'
      /** Without a password: that is in a file. */
      readonly url: string
      readonly passwordFile?: string
      readonly name?: string
      readonly connections?: number
    }
  /** Handed over by whoever starts the broker. */
  | { readonly kind: 'given' }

export interface StoreConfiguration {
  readonly place: StorePlace
  /** Whether values are encrypted under the master key. Default true. */
  readonly sealed?: boolean
  /**
   * Names with `/` between them: `{repository}`, `{type}` and `{tag}`, all of them once, `{facts.NAME}`, or plain.
   * Default `resource/{repository}/{type}/{tag}`.
   */
  readonly key?: string
  /** Facts that this store alone needs. */
  readonly facts?: Readonly<Record<string, Fact>>
  /** Who may; where a verb is absent, guests read, and owners do the rest. */
  readonly verbs?: Partial<Readonly<Record<StoreVerb, readonly StoreUser[]>>>
}

/** One or several patterns: text in which `*` stands for any characters. All that are named must match. */
export interface RouteCondition {
  readonly repository?: string | readonly string[]
  readonly type?: string | readonly string[]
  readonly tag?: string | readonly string[]
  readonly query?: Readonly<Record<string, string | readonly string[]>>
  readonly facts?: Readonly<Record<string, string | readonly string[]>>
}

export interface ResourceConfiguration {
  readonly version: 1
  readonly stores: Readonly<Record<string, StoreConfiguration>>
  /** The store of what no route matches; without it there is no such resource. */
  readonly default?: string
  readonly facts?: Readonly<Record<string, Fact>>
  /** The first that matches names the store. */
  readonly routes?: readonly { readonly when: RouteCondition; readonly store: string }[]
}
