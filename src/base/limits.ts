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
  /** Most bytes of padding after the end of a tar file; tools pad to records of 10 KiB, seldom larger ones. */
  tarTrailerBytes: 1024 * 1024,
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
  /** Repeats of one request (or of one blob without progress) before the registry client gives up. */
  retries: 5,
  /** Longest pause before such a repeat, in milliseconds, and the longest Retry-After that is waited for. */
  retryDelayMs: 10_000,
  retryAfterMs: 120_000,
  /** Longest silence of a registry, in milliseconds, and the fewest bytes it must send within such a time. */
  silenceMs: 60_000,
  trickleBytes: 4096,
  /** Longest time for a connection to come about, for a whole small answer, and for a registry to check a push. */
  connectMs: 15_000,
  answerMs: 120_000,
  commitMs: 15 * 60_000,
  /** Largest set of header fields of one answer, and largest error body that is looked at. */
  headerBytes: 32 * 1024,
  errorBytes: 16 * 1024,
  /** Longest WWW-Authenticate field, and largest token. */
  challengeBytes: 8 * 1024,
  tokenBytes: 64 * 1024,
  /** Largest file of credentials, certificates or keys. */
  credentialFileBytes: 4 * 1024 * 1024,
  /** Largest answer of a credential helper, and the longest time it may take. */
  helperBytes: 64 * 1024,
  helperMs: 60_000,
  /** Most digests of which the registry client remembers where they are. */
  knownDigests: 200_000,
  /** Most bytes of one download that wait for their reader. */
  waitingBytes: 1024 * 1024,
  /** Deepest nesting of schemas in one definition of a bundle. */
  definitionDepth: 32,
  /** Most schemas in one definition. */
  definitionSchemas: 2000,
  /** Longest regular expression in a definition, in UTF-16 units. */
  patternLength: 1000,
  /** Longest that one check against a definition may compute, in milliseconds: what stops hostile patterns. */
  definitionCheckMs: 1000,
  /** Largest value of a parameter. */
  parameterBytes: 16 * 1024 * 1024,
  /** Largest credential. */
  credentialBytes: 1024 * 1024,
  /** Largest output of a bundle's action. */
  outputBytes: 16 * 1024 * 1024,
  /** Most that is kept of the log of one action. */
  actionLogBytes: 64 * 1024 * 1024,
  /** Largest Chart.yaml. */
  chartFileBytes: 1024 * 1024,
  /** Most bytes of a chart that are unpacked to find its Chart.yaml. */
  chartSearchBytes: 64 * 1024 * 1024,
  /** Largest file of access rules, and most grants in it. */
  accessRulesBytes: 1024 * 1024,
  accessGrants: 10_000,
  /** Longest password of a key, in bytes. */
  passwordBytes: 4096,
  /** Largest public, private or encrypted key, as text or bytes. */
  keyBytes: 64 * 1024,
  /** Most signatures and attestations of one content; cosign stops at as many. */
  proofs: 1000,
  /** Largest of them (an SBOM in its envelope), and the most bytes of all that one content has. */
  proofBytes: 32 * 1024 * 1024,
  proofBytesInAll: 512 * 1024 * 1024,
  /** Largest predicate that is signed: in its envelope, in base64, it has to fit into a proof. */
  predicateBytes: 20 * 1024 * 1024,
  /** Longest wait for a certificate authority, log or time-stamp authority, in milliseconds; Rekor v2 batches. */
  signingMs: 60_000,
  /** Repeats of one question to such a service. */
  signingRetries: 2,
  /** Largest thing that is kept beside the audit log: facts, a policy, trust material, a proof. */
  auditObjectBytes: 32 * 1024 * 1024,
  /** Most log entries, time stamps or certificates in one proof. */
  proofParts: 32,
  /** Largest certificate or time stamp in DER. */
  derBytes: 64 * 1024,
  /** Most subjects of one in-toto statement. */
  statementSubjects: 10_000,
  /** Most keys, roots and revocations in trust material. */
  trustEntries: 10_000,
  /** Most of these that are keys. */
  trustedKeys: 256,
  /** Repositories whose graph a gate that serves remembers. */
  servedRepositories: 1000,
  /** Largest file that remembers a release. */
  releaseBytes: 64 * 1024,
  /** Most reasons that one entry of it tells; the whole decision is kept beside. */
  recordedReasons: 32,
  /** Most subjects and decisions that a gate remembers. */
  rememberedVerdicts: 10_000,
  /** Bytes of facts that it remembers: attestations can be large. */
  rememberedEvidenceBytes: 128 * 1024 * 1024,
  /** Largest entry of the audit log (C2SP tlog-tiles: lengths are 16 bits). */
  logEntryBytes: 65_535,
  /** Largest signed note, with all its signatures, and most signatures on it (C2SP signed-note asks for 16). */
  noteBytes: 256 * 1024,
  noteSignatures: 64,
  /** Most entries, and most bytes of them, that one commit of a log takes along. */
  logGroupEntries: 4096,
  logGroupBytes: 16 * 1024 * 1024,
  /** A commit of a log waits so long for more callers, where the one before had several and fewer than so many. */
  logPaceMs: 3,
  logPacedEntries: 48,
  /** Verified tiles of a log that are kept in memory, of about 40 KiB each. */
  logTilesRemembered: 1024,
  /** Largest offline proof of a log's entry, and most bytes of extra data in it. */
  logProofBytes: 512 * 1024,
  logProofExtraBytes: 64 * 1024,
} as const

/** The same names with any numbers: what tests pass. */
export type Limits = { readonly [K in keyof typeof limits]: number }

/** What one registry server bears from its clients. `*Ms` are milliseconds. */
export const serverLimits = {
  /** Open connections; one more is refused at once. */
  connections: 4096,
  /** Requests in work; one more is answered 429. */
  requests: 1024,
  /** Requests that carry a body in work; one more is answered 429. */
  uploads: 256,
  /** Uploads kept open in memory between requests; the one unused for longest is let go of (and can be resumed). */
  openUploads: 4096,
  /** After so long without a request an upload is let go of in memory. */
  uploadIdleMs: 10 * 60_000,
  /** Largest blob that is taken in. */
  uploadBytes: 1024 * 1024 * 1024 * 1024,
  /** Largest manifest that is taken in (distribution-spec asks for at least 4 MiB). */
  manifestBytes: limits.manifestBytes,
  /** Request line and headers together. */
  headerBytes: 16 * 1024,
  /** A connection must have sent its whole request head after so long. */
  headersMs: 15_000,
  /** A connection on which nothing moves for so long is cut off. */
  idleMs: 60_000,
  /** A connection without a request is kept for so long. */
  keepAliveMs: 75_000,
  /** A body must bring so many bytes each second... */
  bodyBytesPerSecond: 1024,
  /** ...and is cut off after falling short for so long. */
  bodySlowMs: 30_000,
  /** A body that nobody wants is read to its end up to this size, so that the connection can be kept. */
  drainBytes: 4 * 1024 * 1024,
  /** Entries on one page of tags, repositories or referrers. */
  pageEntries: 10_000,
  /** Size of one page of referrers. */
  pageBytes: 4 * 1024 * 1024,
  /** `tag` parameters of one manifest push. */
  tagParameters: 100,
  /** Contents whose verification is remembered. */
  verifiedContents: 200_000,
  /** Bytes of manifests kept in memory. */
  manifestCacheBytes: 16 * 1024 * 1024,
  /** Bytes of buffers shared by all transfers; when they are out, transfers get small ones. */
  bufferBytes: 64 * 1024 * 1024,
  /** Largest password file. */
  htpasswdBytes: 1024 * 1024,
  /** Largest cost of a bcrypt hash in it: each step doubles the work of one check. */
  bcryptCost: 14,
  /** Password checks that wait for their turn; one more is answered 429. */
  passwordChecks: 64,
  /** Records of public readings that may wait to be kept; with more the readers wait. */
  accessRecords: 1024,
  /** Passwords whose check is remembered. */
  passwordsRemembered: 4096,
} as const

/** The same names with any numbers. */
export type ServerLimits = { readonly [K in keyof typeof serverLimits]: number }

/** What the admission webhook bears from the API server, or from whoever poses as it. `*Ms` are milliseconds. */
export const admissionLimits = {
  /** Largest AdmissionReview: an object and its old self, of at most 1.5 MiB each (etcd's default). */
  reviewBytes: 3 * 1024 * 1024,
  /** Most containers and image volumes in one review. */
  images: 500,
  /** Longest uid that is echoed. */
  uidLength: 256,
  /** Longest name, namespace, kind or user name that is looked at. */
  nameLength: 1024,
  /** Most groups of one user. */
  groups: 1000,
  /** Longest message of a denial. */
  messageLength: 16 * 1024,
  /** Reviews in work; one more is answered 429, which the API server takes for a failure. */
  requests: 128,
  /** Open connections. */
  connections: 1024,
  /** Contents of one review that are looked up at once. */
  lookups: 20,
  /** Answers to a review within this, body included; below the API server's own time (10 s). */
  reviewMs: 8_000,
  /** Proofs found with a content are asked for again after so long, in the background while they are in use. */
  refreshMs: 30_000,
  /** Proofs that cannot be asked for again, as the mirror is away, hold for so long. */
  staleMs: 5 * 60_000,
  /** That something was not there is believed for so long. */
  absenceMs: 2_000,
  /** A content that nobody asked about for so long is not asked for again in the background. */
  unusedMs: 10 * 60_000,
  /** Contents remembered with their proofs, and the bytes of all of these proofs. */
  contents: 10_000,
  contentBytes: 128 * 1024 * 1024,
  /** Most proofs of one content. */
  proofs: 1000,
  /** A stop waits so long for reviews under way. */
  stopMs: 10_000,
  /** Largest configuration file. */
  configurationBytes: 1024 * 1024,
} as const

/** The same names with any numbers. */
export type AdmissionLimits = { readonly [K in keyof typeof admissionLimits]: number }

/** Of policies: what they may be made of, and what one decision may cost. Costs are counts, the same on every machine. */
export const policyLimits = {
  /** Files of one policy, and bytes of all of them with the data. */
  files: 256,
  bytes: 16 * 1024 * 1024,
  /** Instructions that compiling one file may take, in the engine's own count. */
  compileInstructions: 20_000_000_000,
  /** Instructions of one decision: what endless policies take is a tenth of a second here. */
  instructions: 5_000_000_000,
  /** Memory of one decision, evidence and compiled policy included. */
  memoryBytes: 256 * 1024 * 1024,
  /** Largest decision that a policy may yield, as JSON, and most reasons in it. */
  decisionBytes: 1024 * 1024,
  reasons: 1000,
  /** Compiled policies that are kept ready. */
  readyPolicies: 16,
  /** Largest trust policy in YAML, and most of its rules. */
  trustPolicyBytes: 1024 * 1024,
  trustPolicyRules: 1000,
} as const

/** The same names with any numbers. */
export type PolicyLimits = { readonly [K in keyof typeof policyLimits]: number }

/** Of leases and Nebula certificates. `*Ms` are milliseconds. */
export const leaseLimits = {
  /** Longest name (a host name), and longest identity of a holder, in UTF-16 units. */
  nameLength: 253,
  holderLength: 512,
  /** Addresses that are tried for one lease before the pool counts as exhausted. */
  candidates: 4096,
  /** Times that a change is tried again after others were faster. */
  attempts: 64,
  /** Longest lease. */
  leaseMs: 366 * 86_400_000,
  /** Largest record of a lease, with what was issued under it. */
  recordBytes: 256 * 1024,
  /** Credentials that are remembered with one lease; more are refused until some of them have ended. */
  issued: 16,
  /** Keys that one question to a store asks for. */
  pageKeys: 256,
  /** Most entries of the list of revoked certificates. */
  revoked: 10_000,
  /** Entries of it that a holder may make by releasing its leases; then it waits until some have ended. */
  releasedByHolder: 100,
  /** Largest Nebula certificate (its own limit), and the most networks and groups in one. */
  certificateBytes: 65_536,
  certificateEntries: 1024,
  /** Most groups and routed networks that one request asks for, and the longest group, in UTF-16 units. */
  requestEntries: 64,
  groupLength: 128,
  /** Most authorities at a time: announced, issuing, trusted, and ended lately. */
  authorities: 8,
  /** What opening an encrypted key may cost: argon2id's memory in KiB, its passes and lanes. Nebula's own are 2 GiB, 1 and 4. */
  argonKibibytes: 2 * 1024 * 1024,
  argonPasses: 16,
  argonLanes: 64,
} as const

/** The same names with any numbers. */
export type LeaseLimits = { readonly [K in keyof typeof leaseLimits]: number }

/** Of secrets, the stores they lie in, and requests for them. */
export const secretLimits = {
  /** Longest key of a store, most names in it, and the longest of them (a file's name has at most 255 bytes). */
  keyLength: 1024,
  keyNames: 16,
  nameLength: 200,
  /** Largest value that is given to a plugin, and what a store takes: the value, sealed. */
  valueBytes: 1024 * 1024,
  storedBytes: 1024 * 1024 + 256,
  /** Keys on one page, where fewer are not asked for. */
  pageKeys: 1000,
  /** Another process may hold a store for so long before a change gives up. */
  busyMs: 10_000,
  /** Times that a change is tried again after others were faster. */
  attempts: 16,
  /** Largest file of master keys, most keys in it, and the largest key file that opens it. */
  keyringBytes: 64 * 1024,
  masterKeys: 64,
  keyFileBytes: 64 * 1024,
  /** Largest configuration of stores and routes, and most of each kind of thing in it. */
  configurationBytes: 256 * 1024,
  stores: 64,
  routes: 1000,
  facts: 64,
  /** Most parameters of a query, and the longest of them and of a fact, in UTF-16 units. */
  queryParameters: 64,
  textLength: 1024,
  /** Largest file with all resources of Trustee's, where it keeps them in one. */
  importedBytes: 64 * 1024 * 1024,
} as const

/** The same names with any numbers. */
export type SecretLimits = { readonly [K in keyof typeof secretLimits]: number }

/** Of the broker's PKI. `*Ms` are milliseconds. */
export const pkiLimits = {
  /** Largest certificate request, in bytes. */
  requestBytes: 16 * 1024,
  /** Most names (DNS and IP together) of one certificate, longest list of them in a query, in UTF-16 units. */
  names: 64,
  namesLength: 8 * 1024,
  /** Longest identity of a caller, in UTF-16 units. */
  identityLength: 512,
  /** Longest life of a certificate, and shortest. */
  longestMs: 366 * 86_400_000,
  shortestMs: 60_000,
  /** Certificates that have not ended: of one identity, and in all (counted now and then, so a few more may be). */
  certificatesOfOne: 1024,
  certificates: 200_000,
  /** The count of all is taken anew after so long. */
  countMs: 5 * 60_000,
  /** Revoked certificates on the list of one authority. */
  revoked: 10_000,
  /** Entries of it that a holder may make by releasing its leases; then it waits until some have ended. */
  releasedByHolder: 100,
  /** How long a revocation list is good; another is made at half of its time, and where something changes. */
  revocationListMs: 24 * 60 * 60_000,
  /** Roots, and intermediates, that are trusted at once: each rotation adds one until the old one has ended. */
  authorities: 8,
  /** Profiles, and patterns in one of them. */
  profiles: 64,
  patterns: 256,
  /** Times that a change is tried again after others were faster. */
  attempts: 64,
  /** Records that have ended and are removed with one question, at most; and the least time between two removals. */
  swept: 64,
  sweepMs: 60_000,
  /** Keys that one question to a store asks for. */
  pageKeys: 1000,
  /** Client certificates that are remembered as good for a moment. */
  callers: 10_000,
} as const

/** The same names with any numbers. */
export type PkiLimits = { readonly [K in keyof typeof pkiLimits]: number }

/** What is taken in from guests and brokers, whoever they are: functions take it as a parameter with this as the default. */
export const attestationLimits = {
  /** Largest body of a request (Trustee's default, 2 MB), and of an answer that a client reads. */
  bodyBytes: 2 * 1024 * 1024,
  answerBytes: 16 * 1024 * 1024,
  /** Deepest nesting of a message; evidence lies within. */
  depth: 32,
  /** Longest nonce that is taken, in characters: IBM SE has a whole request in its place. */
  nonceLength: 16 * 1024,
  /** Largest init-data, in characters. */
  initDataLength: 1024 * 1024,
  /** Most devices beside the primary TEE. */
  devices: 64,
  /** Largest token, in characters, and most certificates in its chain. */
  tokenLength: 1024 * 1024,
  chain: 8,
  /** Most keys of a JWK set. */
  jwkSetKeys: 64,
  jwkSetBytes: 256 * 1024,
  /** Most reference values of one message, and longest name of one, in characters. */
  referenceValues: 10_000,
  referenceNameLength: 1024,
  /** Most data items of one document in CBOR. */
  cborItems: 100_000,
  /** Most extensions that an attestation policy may yield. */
  extensions: 64,
} as const

/** The same names with any numbers: what tests pass. */
export type AttestationLimits = { readonly [K in keyof typeof attestationLimits]: number }

/** What the key broker's listeners bear from guests and admins. `*Ms` are milliseconds. Those that an owner sets are named in docs/broker.md. */
export const brokerServerLimits = {
  /** Largest body of a request (Trustee's default, 2 MB). */
  bodyBytes: 2 * 1024 * 1024,
  /** All bodies together that a listener keeps at the moment; one more byte is answered 503. */
  bodiesBytes: 128 * 1024 * 1024,
  /** A body over `bodyBytes` is read to its end up to this size, so that the refusal reaches its sender. */
  drainBytes: 8 * 1024 * 1024,
  /** Request line and headers together: a bearer token can be long, as it carries claims about evidence. */
  headerBytes: 64 * 1024,
  /** Longest path and query, in characters as sent. */
  targetLength: 8 * 1024,
  /** Names in a path, and the longest of them, decoded, in UTF-16 units. */
  pathNames: 32,
  pathNameLength: 1024,
  /** Parameters of a query, and the longest name or value, decoded, in UTF-16 units. */
  queryParameters: 64,
  queryLength: 1024,
  /** Cookies of one request that are looked at. */
  cookies: 32,
  /** Open connections of each listener; one more is closed at once. */
  connections: 4096,
  /** Requests in work, for each listener; one more is answered 503. */
  concurrent: 512,
  /** Requests of one peer each second, and how many it may have saved up. */
  requestsPerSecond: 1000,
  requestBurst: 2000,
  /** Failed authentications of one admins' peer each second, and how many it may have saved up. */
  loginFailuresPerSecond: 1,
  loginFailureBurst: 100,
  /** Peers whose rates are remembered: those unseen for longest are forgotten. */
  peers: 16_384,
  /** A request must be whole and answered within. */
  requestMs: 30_000,
  /** A connection must have sent its whole request head within. */
  headersMs: 10_000,
  /** A connection without a request is kept for so long. */
  keepAliveMs: 75_000,
  /** A TLS handshake must be done within. */
  handshakeMs: 10_000,
  /** Whether it is ready is asked again after so long. */
  healthMs: 1_000,
  /** A stop waits so long for requests in work. */
  stopMs: 10_000,
  /** Certificates and keys are looked at again after so long. */
  filesMs: 10_000,
  /** Largest file with certificates or keys, most registered admin keys, and most identity providers. */
  fileBytes: 256 * 1024,
  adminKeys: 64,
  issuers: 16,
  /** Longest admin token in characters, and the most groups in it. */
  tokenLength: 16 * 1024,
  groups: 1000,
  /** Longest life of an admin's token in seconds, and of one that Trustee's kbs-client makes. */
  adminTokenSeconds: 3600,
  kbsClientTokenSeconds: 7200,
  /** Kinds of calls, and codes of refusals, that metrics tell apart. */
  labels: 200,
} as const

/** The same names with any numbers. */
export type BrokerServerLimits = { readonly [K in keyof typeof brokerServerLimits]: number }

/** Of stores and plugins of others. */
export const packageLimits = {
  /** Largest package: one file with all that it needs. */
  bytes: 16 * 1024 * 1024,
  /** Largest answer of a plugin, and what it may add to a policy's input. */
  replyBytes: 4 * 1024 * 1024,
  policyDataBytes: 64 * 1024,
  policyDataDepth: 16,
  /** Most codes of a plugin's own, and the longest text to a caller, in UTF-16 units. */
  problems: 100,
  detailLength: 200,
} as const

/** What a key broker keeps. Functions take it as a parameter with this as the default. */
export const brokerLimits = {
  /** Sessions of guests, and how long one lasts (Trustee's default). */
  sessions: 200_000,
  sessionSeconds: 300,
  /** Characters of all tokens in the sessions of one process; those of long ones take half of it at most. */
  sessionTokenBytes: 1024 * 1024 * 1024,
  longTokenBytes: 16 * 1024,
  /** How long a token lasts, and what its keys are told ahead of their first use. */
  tokenSeconds: 300,
  /** Largest file with keys or certificates of another issuer of tokens. */
  trustedTokenBytes: 256 * 1024,
  /** Tokens whose claims are remembered, by what they weigh. */
  rememberedTokenBytes: 64 * 1024 * 1024,
  /** Versions of one policy that are kept, the files of one, and the longest name of a policy. */
  policyVersions: 100,
  policyNameLength: 128,
  /** Recorded requests that a policy is tried against, and of those that would change, as many are told. */
  triedRequests: 1000,
  toldChanges: 100,
} as const

/** The same names with any numbers. */
export type BrokerLimits = { readonly [K in keyof typeof brokerLimits]: number }
