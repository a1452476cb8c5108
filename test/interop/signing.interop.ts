// Signatures and attestations between cosign and us, in both directions: by key, and keyless with the real Fulcio,
// time-stamp authority and Rekor 1 and 2, each of this test's own.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { needs } from './peers.ts'
import { predicates } from './predicates.ts'
import { startRegistry } from './registries.ts'
import { type SigstoreServices, startSigstore } from './sigstore-services.ts'
import { Workbench } from './workbench.ts'

const bench = new Workbench()
after(() => bench[Symbol.asyncDispose]())

const env = { COSIGN_PASSWORD: 'correct horse', SIGSTORE_ID_TOKEN: '' }
const email = 'releases@shop.example'
const http = '--allow-http-registry'
const unlogged = '--insecure-ignore-tlog'
/** A registry without the referrers API, and one with it. */
const registries = { distribution: '', sealift: '' }
const kinds = ['distribution', 'sealift'] as const
let made = 0
const hashes: Readonly<Record<string, string>> = { 'ecdsa-p384': 'sha384', 'ecdsa-p521': 'sha512' }

/** A new image of a few bytes. */
async function image(registry: string): Promise<string> {
  const name = `${registry}/shop/web:${++made}`
  const folder = bench.fresh('layer')
  mkdirSync(folder)
  writeFileSync(`${folder}/file`, `content ${made}`)
  execFileSync('tar', ['-cf', `${folder}.tar`, '-C', folder, 'file'])
  await bench.run('crane', ['append', '--insecure', '-f', `${folder}.tar`, '-t', name])
  return name
}

const digestOf = async (name: string) => {
  const { stdout } = await bench.run('crane', ['digest', '--insecure', name])
  return `${name.slice(0, name.lastIndexOf(':'))}@${stdout.trim()}`
}

interface ProofList {
  readonly digest: string
  readonly proofs: readonly {
    readonly form: string
    readonly digest: string
    readonly carrier: string
    readonly predicateType?: string
    readonly subjects: readonly string[]
    readonly problem?: unknown
  }[]
}
/** What is beside a content, which all has to be readable and about it. */
async function proofsOf(location: string): Promise<ProofList['proofs']> {
  const { digest, proofs } = await bench.sealiftJson<ProofList>(['attestations', location])
  for (const { problem, subjects } of proofs) {
    assert.equal(problem, undefined)
    assert.deepEqual(subjects, [digest])
  }
  return proofs
}
const formsOf = async (location: string) => (await proofsOf(location)).map(({ form }) => form)

async function keyPair(type: string): Promise<string> {
  const prefix = bench.fresh('key')
  await bench.sealift(['key', 'generate', '--type', type, '--out', prefix], { env })
  return prefix
}

before(async () => {
  const distribution = await startRegistry(bench, 'distribution')
  registries.distribution = distribution.registry
  registries.sealift = await bench.serve(['registry', 'serve', bench.path('data')])
})

describe('signatures by key', needs('cosign', 'crane', 'distribution'), () => {
  for (const type of ['ecdsa-p256', 'ecdsa-p384', 'ecdsa-p521', 'rsa', 'ed25519']) {
    for (const kind of kinds) {
      test(`cosign verifies what we sign: ${type}, ${kind}`, async () => {
        const [key, other] = [await keyPair(type), await keyPair(type)]
        const name = await image(registries[kind])
        const sign = ['sign', name, '--key', `${key}.key`, '--legacy', '--annotation', 'release=7']
        await bench.sealift(sign, { env })
        assert.deepEqual(await formsOf(name), ['bundle', 'legacy-signature'])
        // cosign takes SHA-256 for granted, whatever the key.
        const hash = ['--signature-digest-algorithm', hashes[type] ?? 'sha256']
        for (const format of ['--new-bundle-format=true', '--new-bundle-format=false']) {
          const verify = ['verify', http, unlogged, format, ...hash, '-a', 'release=7', name]
          const { stdout } = await bench.run('cosign', [...verify, '--key', `${key}.pub`])
          assert.equal(JSON.parse(stdout)[0].optional.release, '7')
          const refused = await bench.run('cosign', [...verify, '--key', `${other}.pub`], { exit: 'any' })
          assert.equal(refused.stdout, '')
        }
      })
    }
  }
})

describe(
  'keyless signatures',
  needs(
    'cosign',
    'crane',
    'distribution',
    'fulcio',
    'timestamp-server',
    'rekor-server',
    'rekor-tiles',
    'trillian_log_server',
    'trillian_log_signer',
    'pg_ctl',
    'psql',
  ),
  () => {
    let services: SigstoreServices
    before(async () => {
      services = await startSigstore(bench)
    })

    const signAs = (who: string) => ({ env: { ...env, SIGSTORE_ID_TOKEN: services.issuer.token(who) } })
    const verifyAs = (who: string) => [
      ...['verify', http, '--trusted-root', services.trustedRoot, '--insecure-ignore-sct'],
      ...['--certificate-identity', who, '--certificate-oidc-issuer', services.issuer.url],
    ]

    for (const log of ['rekor1', 'rekor2', 'logless'] as const) {
      test(`cosign verifies what we sign: ${log}`, async () => {
        const name = await image(registries.sealift)
        await bench.sealift(['sign', name, '--signing-config', services.signingConfigs[log]], signAs(email))
        const rest = ['--use-signed-timestamps', ...(log === 'logless' ? [unlogged] : []), name]
        const { stdout } = await bench.run('cosign', [...verifyAs(email), ...rest])
        assert.equal(JSON.parse(stdout).length, 1)
        const refused = await bench.run('cosign', [...verifyAs('other@shop.example'), ...rest], {
          exit: 'any',
        })
        assert.match(refused.stderr, /expected SAN value/)
      })

      test(`cosign signs likewise: ${log}`, async () => {
        const name = await image(registries.sealift)
        const token = services.issuer.token(email)
        const sign = [
          'sign',
          '--yes',
          http,
          '--identity-token',
          token,
          '--trusted-root',
          services.trustedRoot,
        ]
        const config = ['--signing-config', services.signingConfigs[log]]
        await bench.run('cosign', [...sign, ...config, await digestOf(name)])
        assert.deepEqual(await formsOf(name), ['bundle'])
      })
    }

    test('cosign verifies our legacy signature with a promise of the log and a time stamp', async () => {
      const name = await image(registries.distribution)
      const urls = ['--fulcio-url', services.fulcioUrl, '--rekor-url', services.rekor1Url]
      await bench.sealift(
        ['sign', name, '--legacy', ...urls, '--timestamp-url', services.timestampUrl],
        signAs(email),
      )
      const legacy = ['--new-bundle-format=false', '--use-signed-timestamps', name]
      await bench.run('cosign', [...verifyAs(email), ...legacy])
    })
  },
)
