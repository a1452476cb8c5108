import { Type } from 'typebox'
import { roles, verbs } from '#access/index.ts'
import { keyAlgorithms } from '#keys/index.ts'

// What every `-o json` output holds. Closed: a member that is not here is a change that somebody has to notice.

const closed = { additionalProperties: false }
const text = Type.String()
const count = Type.Integer({ minimum: 0 })
const digest = Type.String({ pattern: '^sha(256:[0-9a-f]{64}|384:[0-9a-f]{96}|512:[0-9a-f]{128})$' })
const optional = Type.Optional
const object = <T extends Parameters<typeof Type.Object>[0]>(members: T) => Type.Object(members, closed)
const tally = object({ items: count, sizeBytes: count })
const copied = {
  copied: tally,
  mounted: tally,
  present: tally,
  absent: Type.Array(digest),
  referrers: count,
  elapsedMs: count,
}

const reason = object({ code: text, message: text, remedy: optional(text), subject: optional(text) })
const proofFacts = object({
  form: text,
  digest,
  subject: digest,
  signer: Type.Unknown(),
  checks: Type.Array(text),
  signedAt: optional(text),
  log: optional(Type.Unknown()),
  validUntil: optional(text),
  predicateType: text,
  predicate: optional(Type.Unknown()),
  annotations: optional(Type.Unknown()),
})

const validity = { validFrom: optional(text), validUntil: optional(text) }
const storedRoot = object({
  name: text,
  origin: Type.Enum(['file', 'carried', 'tuf']),
  version: optional(count),
  mirror: optional(text),
  fetchedAt: text,
  ageSeconds: count,
  issuers: optional(Type.Array(text)),
  updateKeys: Type.Array(object({ name: text, id: text })),
  authorities: Type.Array(object({ subject: text, ...validity })),
  timeStampAuthorities: Type.Array(object({ subject: text, ...validity })),
  logs: Type.Array(object({ id: text, ...validity })),
  certificateLogs: Type.Array(object({ id: text, ...validity })),
})

const branch = Type.Cyclic(
  {
    Branch: object({
      role: Type.Enum(['root', 'manifest', 'config', 'layer', 'referrer', 'signature']),
      digest,
      mediaType: text,
      sizeBytes: count,
      artifactType: optional(text),
      platform: optional(text),
      title: optional(text),
      absent: optional(Type.Literal(true)),
      repeated: optional(Type.Literal(true)),
      children: Type.Array(Type.Ref('Branch')),
      referrers: Type.Array(Type.Ref('Branch')),
    }),
  },
  'Branch',
)

const input = object({ name: text, required: Type.Boolean(), description: optional(text) })
const bundle = object({
  name: text,
  version: text,
  schemaVersion: text,
  description: optional(text),
  actions: Type.Array(text),
  parameters: Type.Array(input),
  credentials: Type.Array(input),
  outputs: Type.Array(text),
  images: Type.Array(
    object({
      name: text,
      image: text,
      imageType: text,
      contentDigest: optional(digest),
      sizeBytes: optional(count),
    }),
  ),
  extensions: Type.Array(object({ name: text, section: optional(text), supported: Type.Boolean() })),
})

const output = object({
  name: text,
  sizeBytes: count,
  secret: Type.Boolean(),
  value: optional(text),
  encoding: optional(Type.Enum(['utf8', 'base64'])),
})
const status = Type.Enum(['canceled', 'failed', 'pending', 'running', 'succeeded', 'unknown'])
const installation = {
  name: text,
  bundle: text,
  version: text,
  action: text,
  status,
  isUninstalled: Type.Boolean(),
  revision: text,
  created: text,
  modified: text,
}
const action = object({
  installation: text,
  action: text,
  status,
  claimId: text,
  revision: text,
  bundle: object({ name: text, version: text }),
  outputs: Type.Array(output),
})
const served = object({ url: text, registry: text, host: text, port: count, location: text })

const keyId = {
  algorithm: Type.Enum([...keyAlgorithms]),
  id: Type.String({ pattern: '^[0-9a-f]{64}$' }),
  hint: text,
}
const keyFiles = object({ keyFile: text, publicKeyFile: text, ...keyId })

const policyVersion = {
  name: text,
  version: count,
  digest,
  at: text,
  by: text,
  replaces: optional(count),
  rollbackOf: optional(count),
}
const policyInForce = object({ name: text, version: count, digest, rollbackOf: optional(count) })
const reference = { name: text, value: Type.Unknown(), expires: text, origin: text, at: text }
const madeBroker = { directory: text, owner: text, files: Type.Array(text) }

/** By command. */
export const outputSchemas = {
  build: object({
    file: text,
    name: text,
    version: text,
    digest,
    pinned: Type.Array(
      object({ path: text, from: text, to: text, how: Type.Enum(['resolved', 'built', 'pushed']) }),
    ),
  }),
  'image build': object({
    target: text,
    digest,
    mediaType: text,
    size: count,
    tags: Type.Array(text),
  }),
  pack: object({
    archive: text,
    archiveSizeBytes: count,
    bundles: Type.Array(object({ name: text, version: text })),
    roots: Type.Array(
      object({
        reference: optional(text),
        digest,
        sizeBytes: count,
        platforms: Type.Array(text),
        referrers: count,
        absent: count,
      }),
    ),
    ...copied,
  }),
  copy: object({
    source: text,
    target: text,
    roots: Type.Array(object({ from: optional(text), to: text, digest, mediaType: text })),
    ...copied,
  }),
  sign: object({
    location: text,
    signed: Type.Array(
      object({ reference: optional(text), digest, bundle: digest, legacy: optional(digest) }),
    ),
    archive: optional(object({ root: digest, generation: count })),
    whole: optional(object({ digest, file: text })),
  }),
  attest: object({
    location: text,
    reference: optional(text),
    digest,
    predicateType: text,
    bundle: digest,
    legacy: optional(digest),
  }),
  attestations: object({
    location: text,
    reference: optional(text),
    digest,
    verified: Type.Literal(false),
    proofs: Type.Array(
      object({
        form: Type.Enum(['bundle', 'legacy-signature', 'legacy-attestation']),
        digest,
        carrier: optional(digest),
        predicateType: optional(text),
        predicate: optional(Type.Unknown()),
        subjects: Type.Array(digest),
        signer: optional(
          Type.Union([
            object({ kind: Type.Literal('key'), hint: optional(text) }),
            object({ kind: Type.Literal('certificate'), identity: text, issuer: text }),
          ]),
        ),
        problem: optional(object({ code: text, message: text })),
      }),
    ),
  }),
  'verify-attestation': object({
    location: text,
    reference: optional(text),
    digest,
    predicateType: text,
    attestations: Type.Array(Type.Unknown()),
    refused: Type.Array(object({ form: text, digest, code: text, message: text, subject: digest })),
  }),
  inspect: object({
    location: text,
    kind: Type.Enum(['registry', 'layout', 'oci-archive', 'docker-archive', 'archive', 'bundle', 'file']),
    roots: Type.Array(
      object({
        reference: optional(text),
        digest,
        mediaType: text,
        kind: text,
        sizeBytes: count,
        contents: count,
        referrers: count,
        platforms: Type.Array(text),
        absent: Type.Array(digest),
      }),
    ),
    bundle: optional(bundle),
  }),
  ls: Type.Array(
    object({
      reference: optional(text),
      digest,
      kind: text,
      sizeBytes: count,
      platforms: Type.Array(text),
      absent: count,
    }),
  ),
  'ls --all': Type.Array(
    object({
      digest,
      mediaType: text,
      kind: text,
      sizeBytes: count,
      platform: optional(text),
      absent: Type.Boolean(),
    }),
  ),
  tree: Type.Array(object({ reference: optional(text), tree: branch })),
  verify: object({
    location: text,
    ok: Type.Boolean(),
    checked: optional(tally),
    problems: Type.Array(
      object({ kind: Type.Enum(['damaged', 'missing', 'extra', 'invalid']), what: text, why: text }),
    ),
    absent: optional(Type.Array(digest)),
    roots: optional(count),
    signatures: optional(
      Type.Array(
        object({
          reference: text,
          digest,
          by: Type.Array(proofFacts),
          others: Type.Array(proofFacts),
          refused: Type.Array(object({ form: text, digest, code: text, message: text, subject: digest })),
        }),
      ),
    ),
    decision: optional(
      object({
        allowed: Type.Boolean(),
        reasons: Type.Array(reason),
        outputs: Type.Unknown(),
        entry: optional(count),
      }),
    ),
  }),
  override: object({
    digest,
    person: text,
    reason: text,
    notAfter: text,
    actions: optional(Type.Array(text)),
    environments: optional(Type.Array(text)),
    file: optional(text),
    bundle: optional(digest),
  }),
  'release sign': object({
    location: text,
    digest,
    product: text,
    sequence: count,
    issuedAt: text,
    nextBy: optional(text),
  }),
  'release list': Type.Array(
    object({
      product: text,
      sequence: count,
      issuedAt: text,
      nextBy: optional(text),
      publisher: text,
      digest,
      seenAt: text,
      overdue: Type.Boolean(),
    }),
  ),
  'receipt make': object({
    entry: count,
    content: digest,
    name: optional(text),
    version: optional(text),
    action: text,
    sizeBytes: count,
    verifierKey: text,
    receipt: text,
  }),
  'receipt verify': object({ record: Type.Unknown(), entry: count, log: text, signer: optional(text) }),
  'audit list': Type.Array(object({ index: count, record: Type.Unknown() })),
  'audit show': object({
    index: count,
    record: Type.Unknown(),
    decision: optional(Type.Unknown()),
    evidence: optional(Type.Array(Type.Unknown())),
    input: optional(Type.Unknown()),
    proof: text,
  }),
  'audit verify': object({
    ok: Type.Boolean(),
    origin: text,
    entries: count,
    root: text,
    objects: count,
    continues: optional(count),
    problems: Type.Array(object({ entry: count, what: text })),
  }),
  'audit replay': object({
    ok: Type.Boolean(),
    replayed: count,
    differing: Type.Array(
      object({
        entry: count,
        differences: Type.Array(
          object({ kind: Type.Enum(['evidence', 'decision', 'policy', 'missing']), what: text }),
        ),
      }),
    ),
  }),
  'policy check': object({
    path: text,
    kind: Type.Enum(['TrustPolicy', 'Rego']),
    name: optional(text),
    digest,
    rule: text,
    tests: count,
    keys: Type.Array(text),
    trustedRoots: Type.Array(text),
  }),
  'policy test': object({
    path: text,
    ok: Type.Boolean(),
    tests: Type.Array(
      object({
        name: text,
        file: text,
        line: count,
        outcome: Type.Enum(['pass', 'fail', 'error', 'skip']),
        message: optional(text),
        printed: Type.Array(text),
      }),
    ),
  }),
  'policy explain': object({
    allowed: Type.Boolean(),
    reasons: Type.Array(object({ code: text, message: text, remedy: optional(text) })),
    outputs: Type.Unknown(),
    validUntil: optional(text),
    at: text,
    policy: digest,
    rules: Type.Array(
      object({
        name: text,
        file: text,
        line: count,
        value: optional(Type.Unknown()),
        error: optional(text),
      }),
    ),
  }),
  'policy init': object({ written: Type.Array(text) }),
  'access check': object({
    allowed: Type.Boolean(),
    principal: text,
    verb: Type.Enum([...verbs]),
    repository: text,
    rules: digest,
    roles: Type.Array(Type.Enum([...roles])),
    grant: optional(
      object({ role: Type.Enum([...roles]), to: Type.Array(text), repositories: Type.Array(text) }),
    ),
  }),
  'key generate': keyFiles,
  'key import': keyFiles,
  'key show': object({ file: text, kind: Type.Enum(['public', 'private']), ...keyId, pem: text }),
  'trust-root import': storedRoot,
  'trust-root update': storedRoot,
  'trust-root show': object({ directory: text, roots: Type.Array(storedRoot) }),
  'trust-root pack': object({ name: text, version: count, digest, output: text, keyId: text }),
  serve: served,
  'registry serve': served,
  'admission serve': object({ url: text, port: count, policy: text, audit: text }),
  'registry gc': object({
    directory: text,
    dryRun: Type.Boolean(),
    blobs: tally,
    freedBytes: count,
    manifests: count,
    uploads: count,
  }),
  relocate: object({
    bundle: text,
    images: Type.Array(object({ from: text, to: text, digest })),
    mapping: Type.Record(text, text),
    dryRun: Type.Literal(false),
    file: text,
    ...copied,
  }),
  'relocate --dry-run': object({
    bundle: text,
    images: Type.Array(object({ from: text, to: text, digest })),
    mapping: Type.Record(text, text),
    dryRun: Type.Literal(true),
  }),
  install: action,
  upgrade: action,
  uninstall: action,
  invoke: action,
  'broker init': object(madeBroker),
  'broker import': object({
    ...madeBroker,
    notes: Type.Array(object({ from: text, to: optional(text), why: optional(text) })),
    policies: Type.Array(text),
    resources: Type.Array(text),
    references: Type.Array(text),
  }),
  'broker serve': object({ url: text, adminUrl: optional(text) }),
  'broker check': object({
    ok: Type.Boolean(),
    findings: Type.Array(object({ what: text, ok: Type.Boolean(), code: optional(text), message: text })),
  }),
  'broker resource put': object({ resource: text, sizeBytes: count }),
  'broker resource get': object({ resource: text, base64: text }),
  'broker resource ls': Type.Array(object({ resource: text, store: text })),
  'broker resource rm': object({ removed: text }),
  'broker policy show': Type.Array(object({ name: text, version: count, digest })),
  'broker policy show NAME': object({
    ...policyVersion,
    files: Type.Array(object({ path: text, text })),
    versions: Type.Array(object(policyVersion)),
  }),
  'broker policy set': policyInForce,
  'broker policy rollback': policyInForce,
  'broker policy try': object({
    tried: count,
    same: count,
    newlyAllowed: count,
    newlyDenied: count,
    different: count,
    failed: count,
    changes: Type.Array(
      object({
        entry: count,
        principal: text,
        resource: text,
        change: Type.Enum(['allowed', 'denied', 'different']),
        reasons: Type.Array(text),
      }),
    ),
  }),
  'broker reference set': object(reference),
  'broker reference ls': Type.Array(object({ ...reference, expired: Type.Boolean() })),
  'broker reference rm': object({ removed: text }),
  'broker reference import': object({ imported: Type.Array(text), origin: text }),
  'broker client get': object({ path: text, base64: text }),
  'broker client token': object({ token: text }),
  'broker leases ls': Type.Array(
    object({ name: text, address: text, holder: text, from: text, until: text }),
  ),
  'broker leases revoke': object({ revoked: text }),
  'broker rotate master': object({
    activeId: text,
    keys: count,
    dropped: count,
    stores: Type.Array(
      object({
        store: text,
        resealed: count,
        current: count,
        refused: Type.Array(object({ key: text, code: text })),
      }),
    ),
  }),
  'broker rotate token': object({ keys: Type.Array(text) }),
  'broker rotate nebula': Type.Array(
    object({ fingerprint: text, name: text, phase: text, issues: text, trustedUntil: text }),
  ),
  'broker rotate pki': Type.Array(
    object({
      kind: Type.Enum(['root', 'intermediate']),
      id: text,
      issues: Type.Boolean(),
      notAfter: text,
      trustedUntil: text,
    }),
  ),
  'token verify': object({
    issuer: Type.Union([text, Type.Null()]),
    expires: text,
    submods: Type.Array(object({ name: text, status: text, policy: text, initDataDigest: optional(text) })),
    claims: Type.Unknown(),
  }),
  installations: Type.Array(object(installation)),
  show: object({
    ...installation,
    bundleReference: optional(text),
    parameters: Type.Record(text, Type.Unknown()),
    outputs: Type.Array(text),
    history: Type.Array(
      object({ claimId: text, action: text, created: text, status, message: optional(text) }),
    ),
  }),
  outputs: Type.Array(output),
  'outputs NAME': output,
} as const
