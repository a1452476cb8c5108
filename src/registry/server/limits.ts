import { limits } from '#base/index.ts'

/** What one server bears; each has its default here. Times in milliseconds, sizes in bytes. */
export const serverLimits = {
  /** Requests answered at once; beyond that 429 with Retry-After. */
  requests: 1024,
  connections: 4096,
  /** For the whole head of a request to arrive. */
  headersMs: 20_000,
  /** Without a byte in either direction. */
  idleMs: 60_000,
  keepAliveMs: 65_000,
  manifestBytes: limits.manifestBytes,
  /** Largest blob that may be pushed. */
  blobBytes: 1024 ** 4,
  /** Names or descriptors in one page of a list. */
  pageSize: 10_000,
  /** Tags that one push of a manifest may set (`?tag=`). */
  tagsPerPush: 100,
  /** Digests of which it is remembered that they were verified. */
  verifiedDigests: 1_000_000,
} as const

export type ServerLimits = { readonly [K in keyof typeof serverLimits]: number }
