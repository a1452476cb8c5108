import type { ProtocolVersion, Tee } from '#attestation/index.ts'
import type { StatementsConfiguration } from '../references/statement-rules.ts'
import type { ResourceConfiguration, StorePlace } from '../resource/index.ts'

/** A file or, for the first line of a file, a password: never the secret itself. Relative to the configuration. */
export type Path = string

/** `broker.yaml`: one file that says all (docs/broker.md has every member, a JSON schema holds it). */
export interface BrokerConfiguration {
  readonly version: 1
  /** Who issues the tokens (`iss`): an address that other services know. */
  readonly issuer: string
  /** Where guests ask; default 127.0.0.1:8080. */
  readonly listen?: string
  /** Where admins ask, another listener; absent: only `--broker DIR` administers. */
  readonly admin?: AdminConfiguration
  /** Of the guests' listener. Without it plain HTTP is spoken: guests encrypt what matters to their TEE's key. */
  readonly tls?: TlsConfiguration
  /** Policies, reference values, keys, leases: sealed under the keyring. */
  readonly state: Exclude<StorePlace, { kind: 'given' }>
  readonly keyring: {
    readonly file: Path
    readonly keyFile?: Path
    readonly passwordFile?: Path
  }
  /** `memory` for one process; `postgres` (in the database of `state`) for replicas. */
  readonly sessions?: {
    readonly kind?: 'memory' | 'postgres'
    readonly seconds?: number
    readonly most?: number
  }
  /** The audit log: a folder, or the database of `state` for replicas. */
  readonly audit: { readonly kind: 'files'; readonly path: Path } | { readonly kind: 'postgres' }
  /** Evidence that is verified; nothing is by itself. */
  readonly tees: readonly Tee[]
  /** Versions of the protocol that are answered; all where it is not said. */
  readonly protocols?: readonly ProtocolVersion[]
  /** Whether guests of 0.1.x, which know nothing else, may use RSA1_5. Default false. */
  readonly rsa1_5?: boolean
  /** How long a token lasts. Default 300. */
  readonly tokenSeconds?: number
  /** Tokens of other attestation services that count here, shown without a session. */
  readonly trustedTokens?: readonly TrustedTokenConfiguration[]
  /** JSON pointers into a token's claims that say who a guest is. Default: the digest of its init-data. */
  readonly identity?: readonly string[]
  /** Who may administer what: access rules (docs/access.md). */
  readonly access: Path
  readonly resources: Omit<ResourceConfiguration, 'version'>
  /** Whose signed statements become reference values, and which: keys, roots, and rules for who signed. */
  readonly references?: { readonly statements: StatementsConfiguration }
  readonly nebula?: NebulaConfiguration
  readonly pki?: PkiConfiguration
  /** Stores and plugins of others, by digest. */
  readonly packages?: readonly PackageConfiguration[]
  readonly limits?: LimitsConfiguration
  /** Where `/metrics` is answered; default `admin`. */
  readonly metrics?: 'guests' | 'admin' | 'none'
}

/** What the listeners bear; defaults are `brokerServerLimits` of the base room. */
export interface LimitsConfiguration {
  /** Of one peer (an IPv4 address, a /64 of IPv6), and how many it may have saved up (default: twice as many). More: 429. 0: any number. */
  readonly requestsPerSecond?: number
  readonly requestBurst?: number
  /** Failed authentications of one admins' peer. More: 429. */
  readonly loginFailuresPerSecond?: number
  /** Largest body. More: 413. */
  readonly bodyBytes?: number
  /** Bodies of all requests in work of a listener. More: 503. */
  readonly bodiesBytes?: number
  /** Within which a request is whole and answered. Longer: 408 or 503. */
  readonly requestSeconds?: number
  /** Within which its head is there. */
  readonly headersSeconds?: number
  /** Requests in work, for each listener. More: 503. */
  readonly concurrent?: number
  /** Open connections, for each listener. */
  readonly connections?: number
  /** How long a stop waits for requests in work. */
  readonly stopSeconds?: number
}

export interface TlsConfiguration {
  readonly certificate: Path
  readonly key: Path
}

export interface AdminConfiguration {
  /** Loopback alone where there is no `tls`. */
  readonly listen: string
  readonly tls?: TlsConfiguration
  /** Under which admins know it, an origin (`https://broker.example:8443`): their tokens' `aud`, beside the issuer. */
  readonly url?: string
  /**
   * Who signs with this key is this principal (`user:ada`). Tokens: EdDSA, ES256/384/512 or RSA, `aud` the issuer, `url`
   * or the listener's address, for an hour at most. `kbsClient`: also those that Trustee's older kbs-client makes, which name no
   * audience and last two hours; default false.
   */
  readonly keys?: readonly {
    readonly principal: string
    readonly publicKey: Path
    readonly kbsClient?: boolean
  }[]
  /** Tokens of an identity provider: `sub` is the user, `groups` (or another claim) and `role` the groups; `keys` a JWK set. */
  readonly issuers?: readonly {
    readonly issuer: string
    readonly audience: string
    readonly keys: Path
    readonly groupsClaim?: string
  }[]
  /** Client certificates of this authority (mutual TLS): the common name or SPIFFE ID is the `certificate:` principal. */
  readonly clientCa?: Path
}

export interface NebulaConfiguration {
  /** Of the first authority, made at `broker init` or with the first start; later ones by rotation. */
  readonly name: string
  /** Default 1, which every Nebula reads; 2 where the pool is of IPv6. */
  readonly version?: 1 | 2
  /** Default CURVE25519. */
  readonly curve?: 'CURVE25519' | 'P256'
  /** What the authority may issue at all; the pool's range where it is not said. */
  readonly networks?: readonly string[]
  /** Default 1095; another one follows by itself before it ends. */
  readonly authorityDays?: number
  /** For so long a new authority is trusted before it issues: nodes fetch it meanwhile. Default 24. */
  readonly announceHours?: number
  /** Addresses that are given, with the length of the whole overlay network; some are not. */
  readonly pool: { readonly range: string; readonly exclude?: readonly string[] }
  /** How long a credential lasts where the request does not say. Default 24. */
  readonly defaultHours?: number
  /** Default 8760. */
  readonly longestHours?: number
}

export interface PkiConfiguration {
  /** In SPIFFE IDs: `spiffe://DOMAIN/...`. */
  readonly trustDomain: string
  /** Of the authorities, and of what is made for guests. Default ecdsa-p256. */
  readonly keys?: 'ecdsa-p256' | 'ecdsa-p384' | 'ed25519' | 'rsa-3072'
  /** Default 3650. */
  readonly rootDays?: number
  /** Default 365; another one follows by itself before it ends. */
  readonly intermediateDays?: number
  /** By name; where there are none, `guest`: client certificates with a SPIFFE ID. */
  readonly profiles?: Readonly<Record<string, PkiProfile>>
  /** The broker as peers reach it (`http://kbs.example:8080`): certificates say that their revocation list is there. */
  readonly crlAddress?: string
  /** Whether the broker itself takes its client certificates in mutual TLS instead of a session. */
  readonly clientCertificates?: boolean
}

export interface PkiProfile {
  readonly use: readonly ('client' | 'server')[]
  /** How long a certificate lasts where the request does not say. Default 1. */
  readonly hours?: number
  /** How long it may last at most. Default 24, or `hours` where that is more. */
  readonly longestHours?: number
  /**
   * Patterns of names that may be asked for; none where it is not said. `*` stands for one whole label, `{identity}`
   * for the caller's identity as (a part of) a label: itself where it can be one, `id-` and its hash in base32 otherwise.
   */
  readonly dns?: readonly string[]
  /** Addresses and ranges (`10.0.0.0/8`) of which addresses may be asked for; none where it is not said. */
  readonly ip?: readonly string[]
  /** Whether the certificate carries the caller's SPIFFE ID. Default true; without it the broker does not take it. */
  readonly spiffe?: boolean
  /** Whether a DNS name belongs to one identity until the last of its certificates ends. Default false. */
  readonly exclusiveNames?: boolean
}

/** One of both, or both: keys by `kid` or themselves, certificates by the `x5c` of a token's header. */
export interface TrustedTokenConfiguration {
  /** The `iss` of its tokens. Not the broker's own. */
  readonly issuer: string
  /** A JWK set. */
  readonly keys?: Path
  /** Of authorities, in PEM. */
  readonly certificates?: Path
}

export interface PackageConfiguration {
  /** An ES module; its default export makes a store or a plugin (`packages/types.ts`). */
  readonly path: Path
  /** `sha256:...` of the file; refused if it differs. */
  readonly digest: string
  readonly kind: 'store' | 'plugin'
  /** The name of the store in `resources.stores` (place `given`), or of the plugin. */
  readonly name: string
  readonly options?: { readonly [name: string]: unknown }
}
