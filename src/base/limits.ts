/**
 * Every limit on what comes from outside, in one place. A room takes its limits as a parameter with these as
 * the default, so that a test can stand at a limit and one beyond it.
 */
export const limits = {
  /** Largest manifest or index read into memory (distribution-spec asks for at least 4 MiB). */
  manifestBytes: 8 * 1024 * 1024,
  /** Largest bundle.json. */
  bundleBytes: 8 * 1024 * 1024,
  /** Deepest nesting of any JSON document. */
  jsonDepth: 64,
  /** Deepest nesting of indexes within indexes. */
  graphDepth: 16,
  /** Most children of one manifest. */
  graphWidth: 100_000,
  /** Most manifests and blobs reached from one root. */
  graphNodes: 1_000_000,
  /** Longest reference. */
  referenceLength: 4096,
  /** Largest answer to a question that is not content: tag lists, referrers, tokens, errors. */
  answerBytes: 8 * 1024 * 1024,
  /** Most pages followed of one list. */
  pages: 10_000,
  /** Redirects followed for one request. */
  redirects: 5,
  /** Most members of a foreign archive, and of a layer. */
  archiveMembers: 1_000_000,
  /** Largest index.json of an OCI layout. */
  layoutIndexBytes: 64 * 1024 * 1024,
  /** Largest index of an archive. */
  archiveIndexBytes: 512 * 1024 * 1024,
  /** A compressed foreign archive may unpack to at most this many times its size. */
  inflationRatio: 1100,
  /** Longest path inside an archive or layer, in bytes. */
  pathBytes: 4096,
  /** Longest single name in such a path, in bytes. */
  nameBytes: 255,
  /** Largest extended header (PAX record set, GNU long name) of one tar member. */
  tarHeaderBytes: 1024 * 1024,
  /** Symbolic links followed on the way to one path. */
  linkHops: 40,
  /** Largest config of an image. */
  imageConfigBytes: 8 * 1024 * 1024,
  /** Most bytes that the layers of one image may unpack to. */
  unpackedBytes: 256 * 1024 * 1024 * 1024,
  /** Most program headers of one executable. */
  programHeaders: 4096,
  /** Most entries in the dynamic section of one executable. */
  dynamicEntries: 65_536,
  /** Most shared libraries that one executable reaches. */
  sharedLibraries: 4096,
  /** Most configuration files that the dynamic linker's include one another. */
  linkerConfigFiles: 1024,
  /** Largest of them, and the largest dynamic linker. */
  linkerBytes: 16 * 1024 * 1024,
} as const

/** The same names with any numbers: what tests pass. */
export type Limits = { readonly [K in keyof typeof limits]: number }
