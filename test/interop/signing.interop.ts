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
/** cosign signing with a key, and nothing beside it. */
const offline = ['--yes', http, '--use-signing-config=false', '--tlog-upload=false']
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

const weVerify = (name: string, signer: readonly string[], options = {}) =>
  bench.sealift(['verify', name, '--proofs-only', ...signer], options)

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

describe('signatures of cosign by key', needs('cosign', 'crane', 'distribution'), () => {
  for (const type of ['ecdsa-p256', 'ecdsa-p384', 'ecdsa-p521', 'rsa', 'ed25519']) {
    for (const format of ['bundle', 'legacy'] as const) {
      test(`we verify what cosign signs: ${type}, ${format}`, async () => {
        const [key, other] = [await keyPair(type), await keyPair(type)]
        const name = await image(registries[format === 'legacy' ? 'sealift' : 'distribution'])
        const asBundle = `--new-bundle-format=${format === 'bundle'}`
        await bench.run(
          'cosign',
          ['sign', ...offline, '--key', `${key}.key`, asBundle, await digestOf(name)],
          {
            env,
          },
        )
        assert.deepEqual(await formsOf(name), [format === 'bundle' ? 'bundle' : 'legacy-signature'])
        await weVerify(name, ['--key', `${key}.pub`])
        const { stderr } = await weVerify(name, ['--key', `${other}.pub`], { exit: 5 })
        assert.match(stderr, /KEY_UNTRUSTED|SIGNATURE_INVALID/)
        // A second signature goes beside the first one, ours after cosign's.
        await bench.sealift(['sign', name, '--key', `${other}.key`, '--legacy'], { env })
        const hash = ['--signature-digest-algorithm', hashes[type] ?? 'sha256']
        for (const pair of [key, other]) {
          await weVerify(name, ['--key', `${pair}.pub`])
          // It signs with Ed25519ph, and verifies pure Ed25519 only.
          if (type === 'ed25519' && pair === key) continue
          const verify = ['verify', http, unlogged, asBundle, ...hash, '--key', `${pair}.pub`, name]
          await bench.run('cosign', verify)
        }
      })
    }
  }
})

describe('what is written', needs('cosign', 'crane', 'distribution'), () => {
  test('our manifests are cosign’s, byte for byte but for digests, sizes, signatures and the time', async () => {
    const [key, other] = [await keyPair('ecdsa-p256'), await keyPair('ecdsa-p256')]
    const [ours, theirs] = [await image(registries.sealift), await image(registries.sealift)]
    // The same key a second time adds a bundle, and no legacy signature; another key adds both.
    for (const [prefix, count] of [
      [key, 2],
      [key, 3],
      [other, 5],
    ] as const) {
      const by = ['--key', `${prefix}.key`]
      await bench.sealift(['sign', ours, ...by, '--legacy'], { env })
      const digest = await digestOf(theirs)
      await bench.run('cosign', ['sign', ...offline, ...by, digest], { env })
      await bench.run('cosign', ['sign', ...offline, ...by, '--new-bundle-format=false', digest], { env })
      const shapes = async (name: string) => {
        const carriers = [...new Set((await proofsOf(name)).map(({ carrier }) => carrier))]
        const repository = name.slice(0, name.lastIndexOf(':'))
        const manifests = carriers.map((carrier) => shapeOf(`${repository}@${carrier}`))
        return (await Promise.all(manifests)).sort()
      }
      assert.equal((await formsOf(ours)).length, count)
      assert.deepEqual(await shapes(ours), await shapes(theirs))
    }
  })

  /** A manifest and its config, without what differs from content to content. */
  async function shapeOf(name: string): Promise<string> {
    const { stdout } = await bench.run('crane', ['manifest', '--insecure', name])
    const { config } = JSON.parse(stdout) as { config: { digest: string } }
    const blob = `${name.slice(0, name.indexOf('@'))}@${config.digest}`
    const { stdout: configText } = await bench.run('crane', ['blob', '--insecure', blob])
    return `${stdout}${configText}`
      .replace(/sha256:[0-9a-f]{64}/g, 'DIGEST')
      .replace(/"size":\d+/g, '"size":0')
      .replace(/(cosign\/signature":")[^"]*/g, '$1')
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, (time) => (time.startsWith('0001') ? time : 'TIME'))
  }
})

describe('attestations by key', needs('cosign', 'crane', 'distribution'), () => {
  for (const [type, predicate] of Object.entries(predicates)) {
    test(`cosign and we verify each other's: ${type}`, async () => {
      const key = await keyPair('ecdsa-p256')
      const file = bench.fresh('predicate.json')
      writeFileSync(file, JSON.stringify(predicate))
      const [ours, theirs] = [await image(registries.sealift), await image(registries.sealift)]
      const what = ['--type', type, '--predicate', file, '--key', `${key}.key`]
      await bench.sealift(['attest', ours, ...what, '--legacy'], { env })
      const attest = ['attest', ...offline, ...what]
      await bench.run('cosign', [...attest, await digestOf(theirs)], { env })
      await bench.run('cosign', [...attest, '--new-bundle-format=false', await digestOf(theirs)], { env })
      for (const name of [ours, theirs]) {
        assert.deepEqual(await formsOf(name), ['bundle', 'legacy-attestation'])
        for (const format of ['--new-bundle-format=true', '--new-bundle-format=false']) {
          const verify = ['verify-attestation', http, unlogged, format, '--type', type, '--key', `${key}.pub`]
          await bench.run('cosign', [...verify, name])
        }
        const verify = ['verify-attestation', name, '--type', type, '--key', `${key}.pub`]
        const { attestations } = await bench.sealiftJson<{ attestations: unknown[] }>(verify)
        assert.equal(attestations.length, 2)
        const other = ['verify-attestation', name, '--type', 'https://other.example', '--key', `${key}.pub`]
        assert.match((await bench.sealift(other, { exit: 5 })).stderr, /SIGNATURE_ABSENT/)
      }
    })
  }
})

describe('what goes along', needs('cosign', 'crane', 'distribution'), () => {
  test('copy and pack leave nothing behind, also of what proves a proof', async () => {
    const key = await keyPair('ecdsa-p256')
    const name = await image(registries.sealift)
    const digest = await digestOf(name)
    const file = bench.fresh('predicate.json')
    writeFileSync(file, JSON.stringify(predicates.cyclonedx))
    const what = ['--type', 'cyclonedx', '--predicate', file, '--key', `${key}.key`]
    await bench.run('cosign', ['sign', ...offline, '--key', `${key}.key`, digest], { env })
    const legacy = ['--new-bundle-format=false', '--key', `${key}.key`, digest]
    await bench.run('cosign', ['sign', ...offline, ...legacy], { env })
    await bench.run('cosign', ['attest', ...offline, ...what, digest], { env })
    await bench.sealift(['sign', name, '--key', `${key}.key`, '--legacy'], { env })
    await bench.sealift(['attest', name, ...what, '--legacy'], { env })
    const before = await proofsOf(name)
    // Our legacy signature is by the same key as cosign's, and so it is the same.
    assert.equal(before.length, 6)
    // The attestation's own manifest is signed, by both.
    const attestation = before.find(({ predicateType }) => predicateType === 'https://cyclonedx.org/bom')
    const nested = `${digest.slice(0, digest.indexOf('@'))}@${attestation?.carrier}`
    await bench.sealift(['sign', nested, '--key', `${key}.key`], { env })
    await bench.run('cosign', ['sign', ...offline, '--key', `${key}.key`, nested], { env })
    assert.equal((await proofsOf(nested)).length, 2)

    const archive = bench.path('along.tgz')
    await bench.sealift(['pack', name, '-o', archive])
    const far = `${registries.distribution}/far/web:1`
    await bench.sealift(['copy', `archive:${archive}:${name}`, far])
    const copied = `${registries.distribution}/copied/web:1`
    await bench.sealift(['copy', name, copied])
    const layout = `oci:${bench.path('along')}`
    await bench.sealift(['copy', name, layout])
    const digests = (proofs: ProofList['proofs']) => proofs.map((proof) => proof.digest).sort()
    for (const place of [far, copied, archive, layout]) {
      assert.deepEqual(digests(await proofsOf(place)), digests(before), place)
      await weVerify(place, ['--key', `${key}.pub`])
      const inside = place.startsWith(registries.distribution)
        ? `${place.slice(0, place.lastIndexOf(':'))}@${attestation?.carrier}`
        : `${place === archive ? `archive:${archive}` : place}:${attestation?.carrier}`
      assert.equal((await proofsOf(inside)).length, 2, inside)
    }
    await bench.run('cosign', ['verify', http, unlogged, '--key', `${key}.pub`, copied])
  })

  test('an archive is signed after packing, and what was in it is signed where it arrives', async () => {
    const key = await keyPair('ecdsa-p256')
    const name = await image(registries.sealift)
    const archive = bench.path('signed.tgz')
    await bench.sealift(['pack', name, '-o', archive])
    await bench.sealift(['sign', archive, '--key', `${key}.key`, '--legacy'], { env })
    await bench.sealift(['verify', archive, '--key', `${key}.pub`])
    const far = `${registries.distribution}/arrived/web:1`
    await bench.sealift(['copy', `archive:${archive}:${name}`, far])
    for (const format of ['--new-bundle-format=true', '--new-bundle-format=false']) {
      const verify = ['verify', http, unlogged, format, '--key', `${key}.pub`]
      await bench.run('cosign', [...verify, far])
    }
    // The whole file, detached; cosign takes it as an attestation of a blob.
    await bench.sealift(['sign', archive, '--key', `${key}.key`, '--whole'], { env })
    const blob = ['--key', `${key}.pub`, '--bundle', `${archive}.sigstore.json`, unlogged]
    const type = ['--type', 'https://sigstore.dev/cosign/sign/v1']
    await bench.run('cosign', ['verify-blob-attestation', ...blob, ...type, archive])
  })
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

    const weAre = (who: string) => [
      ...['--trusted-root', services.trustedRoot],
      ...['--identity', who, '--issuer', services.issuer.url],
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

    for (const log of ['rekor1', 'rekor2'] as const) {
      test(`the client of sigstore-conformance signs a file, and cosign and it verify that: ${log}`, async () => {
        const [file, bundle] = [bench.fresh('artifact'), bench.fresh('artifact.sigstore.json')]
        writeFileSync(file, `signed with ${log}`)
        const client = 'bin/sigstore-conformance-client'
        const token = ['--identity-token', services.issuer.token(email)]
        const config = ['--signing-config', services.signingConfigs[log]]
        const root = ['--trusted-root', services.trustedRoot]
        await bench.program(client, ['sign-bundle', ...token, '--bundle', bundle, ...config, ...root, file])
        const who = ['--certificate-identity', email, '--certificate-oidc-issuer', services.issuer.url]
        await bench.program(client, ['verify-bundle', '--bundle', bundle, ...who, ...root, file])
        const more = ['--insecure-ignore-sct', '--use-signed-timestamps']
        await bench.run('cosign', ['verify-blob', '--bundle', bundle, ...who, ...root, ...more, file])
        writeFileSync(file, 'another text')
        await bench.program(client, ['verify-bundle', '--bundle', bundle, ...who, ...root, file], { exit: 1 })
      })

      test(`attestations: cosign and we verify each other's, ${log}`, async () => {
        const [ours, theirs] = [await image(registries.sealift), await image(registries.sealift)]
        const file = bench.fresh('predicate.json')
        writeFileSync(file, JSON.stringify(predicates.slsaprovenance1))
        const config = ['--signing-config', services.signingConfigs[log]]
        const what = ['--type', 'slsaprovenance1', '--predicate', file, ...config]
        await bench.sealift(['attest', ours, ...what], signAs(email))
        const token = [
          '--identity-token',
          services.issuer.token(email),
          '--trusted-root',
          services.trustedRoot,
        ]
        await bench.run('cosign', ['attest', '--yes', http, ...token, ...what, await digestOf(theirs)])
        for (const name of [ours, theirs]) {
          const type = ['--type', 'slsaprovenance1']
          const [, ...flags] = verifyAs(email)
          await bench.run('cosign', [
            'verify-attestation',
            ...flags,
            '--use-signed-timestamps',
            ...type,
            name,
          ])
          await bench.sealift(['verify-attestation', name, ...type, ...weAre(email)])
          const other = ['verify-attestation', name, ...type, ...weAre('other@shop.example')]
          assert.match((await bench.sealift(other, { exit: 5 })).stderr, /IDENTITY_MISMATCH/)
        }
      })

      test(`a key, a log and a time stamp together: ${log}`, async () => {
        for (const type of ['ecdsa-p256', log === 'rekor1' ? 'ed25519' : 'ecdsa-p384', 'rsa']) {
          const key = await keyPair(type)
          const name = await image(registries.sealift)
          const url = log === 'rekor1' ? services.rekor1Url : services.rekor2Url
          const witnesses = ['--rekor-url', url, '--rekor-version', log.at(-1) as string]
          const stamps = ['--timestamp-url', services.timestampUrl]
          await bench.sealift(['sign', name, '--key', `${key}.key`, ...witnesses, ...stamps], { env })
          await weVerify(name, ['--key', `${key}.pub`, '--trusted-root', services.trustedRoot])
          const root = ['--trusted-root', services.trustedRoot, '--use-signed-timestamps']
          const hash = ['--signature-digest-algorithm', hashes[type] ?? 'sha256']
          await bench.run('cosign', ['verify', http, ...root, ...hash, '--key', `${key}.pub`, name])
        }
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
      await weVerify(name, weAre(email))
    })
  },
)
