// The command line that sigstore-conformance expects of a client (its docs/cli_protocol.md): verify-bundle and
// sign-bundle, exit code 0 for yes. Stands on the same faces as `sealift verify` and `sealift sign`.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type Json, limits, parseJson, SealiftError } from '../../src/base/index.ts'
import { type Digest, digestOf, parseDigest } from '../../src/oci/index.ts'
import {
  givenToken,
  judge,
  keylessSignatory,
  matchesIdentity,
  parseSigningConfig,
  prepareTrust,
  proofOf,
  sealMessage,
  sealStatement,
  type TrustMaterial,
  timeStampAuthority,
  transparencyLog,
} from '../../src/trust/index.ts'

const text = { type: 'string' } as const
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    bundle: text,
    key: text,
    'certificate-identity': text,
    'certificate-oidc-issuer': text,
    'trusted-root': text,
    'identity-token': text,
    'signing-config': text,
    'in-toto': { type: 'boolean' },
  },
})

async function main([command, artifact]: readonly string[]): Promise<void> {
  if (values.bundle === undefined || artifact === undefined) throw usage()
  if (command === 'verify-bundle') return await verifyBundle(values.bundle, artifact)
  if (command === 'sign-bundle') return await signBundle(values.bundle, artifact)
  throw usage()
}

const usage = () => new Error('verify-bundle|sign-bundle --bundle FILE ... FILE_OR_DIGEST')

async function verifyBundle(bundle: string, artifact: string): Promise<void> {
  const proof = proofOf('bundle', readFileSync(bundle))
  const trust = prepareTrust(await material())
  const facts = judge(proof, subjectOf(artifact), trust, new Date())
  if (facts.signer.kind === 'key') {
    if (values.key === undefined) throw new Error('signed by a key where a certificate was asked for')
    return
  }
  if (values.key !== undefined) throw new Error('signed by a certificate where a key was asked for')
  const identity = values['certificate-identity']
  const issuer = values['certificate-oidc-issuer']
  if (identity === undefined || issuer === undefined) throw usage()
  if (!matchesIdentity(facts, { identity, issuer })) {
    throw new Error(`IDENTITY_MISMATCH: signed by ${facts.signer.identity} of ${facts.signer.issuer}`)
  }
}

function subjectOf(artifact: string): { readonly digest: Digest; readonly bytes?: Uint8Array } {
  if (artifact.startsWith('sha256:') && !existsSync(artifact)) return { digest: parseDigest(artifact) }
  const bytes = readFileSync(artifact)
  return { digest: digestOf(bytes), bytes }
}

/** What is named, else what `sealift trust-root import` keeps here: no root is built in. */
async function material(): Promise<TrustMaterial> {
  const keys = values.key === undefined ? [] : [{ name: 'given', pem: readFileSync(values.key, 'utf8') }]
  const path = values['trusted-root']
  // A key says enough; the stored roots would only tell more of when it signed.
  if (path === undefined && keys.length > 0) return { keys, roots: [] }
  if (path !== undefined) return { keys, roots: [{ name: 'given', root: jsonFile(path) }] }
  const { storedTrust } = await import('../../src/cli/gate/stored-trust.ts')
  const stateDir = process.env.SEALIFT_STATE_DIR
  const stored = await storedTrust({ env: process.env } as Parameters<typeof storedTrust>[0], {
    ...(stateDir && { stateDir }),
  })
  return stored
}

const jsonFile = (path: string): Json => parseJson(readFileSync(path), { maxBytes: limits.manifestBytes })

async function signBundle(bundle: string, artifact: string): Promise<void> {
  const token = values['identity-token']
  const config = values['signing-config']
  if (token === undefined || config === undefined) {
    throw new Error('sign-bundle needs --identity-token and --signing-config: no service is built in')
  }
  const services = parseSigningConfig(readFileSync(config), new Date())
  const { fulcioUrl } = services
  if (fulcioUrl === undefined) throw new Error('the signing configuration names no certificate authority')
  const witnesses = [
    ...services.logs.map(({ url, version }) => transparencyLog(url, version)),
    ...services.timeStampUrls.map((url) => timeStampAuthority(url)),
  ]
  const means = { signatory: keylessSignatory({ fulcioUrl, tokens: givenToken(token) }), witnesses }
  const bytes = readFileSync(artifact)
  const sealed = values['in-toto']
    ? (await sealStatement(bytes, means)).bundle
    : await sealMessage(bytes, means)
  writeFileSync(bundle, sealed)
}

try {
  await main(positionals)
} catch (error) {
  const { message } = error as Error
  process.stderr.write(`${error instanceof SealiftError ? `${error.code}: ` : ''}${message}\n`)
  process.exitCode = 1
}
