// Records the exchanges that src/attestation/recorded-exchanges.test.ts replays:
// `node test/interop/record-guests.ts [VERSION...]`, with the programs that test/peers/guest-clients.sh builds.
import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ProtocolVersion, protocolVersions, type TeeKeyKind } from '#attestation/index.ts'
import { type GuestProgram, type GuestWishes, guestPrograms, runGuest } from './guest-programs.ts'
import { guestRecorder, type RecordedExchange } from './guest-recorder.ts'

/** One guest's whole life. */
interface RecordedCase {
  readonly name: string
  readonly program: GuestProgram['name']
  /** The TEE's private key as a JWK, where the guest was told it. */
  readonly teeKey?: object
  readonly exchanges: readonly RecordedExchange[]
  readonly exit: number | null
  /** What the guest printed, decrypted. */
  readonly got: readonly string[]
}

const secret = 'harbour'
const one = 'kbs:///default/key/one'
const told: Readonly<Record<ProtocolVersion, readonly TeeKeyKind[]>> = {
  '0.1.0': ['RSA1_5'],
  '0.1.1': ['RSA1_5'],
  '0.2.0': ['P-256', 'RSA-OAEP-256'],
  '0.4.0': ['P-256', 'P-521', 'RSA-OAEP-256'],
}
const initData = 'algorithm = "sha384"\nversion = "0.1.0"\n\n[data]\n"policy.rego" = "package agent_policy"\n'

const teePrivateKey = (kind: TeeKeyKind): KeyObject =>
  kind.startsWith('P-')
    ? generateKeyPairSync('ec', { namedCurve: kind }).privateKey
    : generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey

/** As guests read it: PKCS #1 for RSA, PKCS #8 for others. */
const pem = (key: KeyObject) =>
  key.export({ type: key.asymmetricKeyType === 'rsa' ? 'pkcs1' : 'pkcs8', format: 'pem' })

const folder = mkdtempSync(join(tmpdir(), 'sealift-guests-'))
const tokenPair = generateKeyPairSync('ec', { namedCurve: 'P-256' })

async function recorded(
  name: string,
  program: GuestProgram,
  wishes: Omit<GuestWishes, 'url'>,
  { teeKey, resourcesPerSession }: { teeKey?: KeyObject; resourcesPerSession?: number } = {},
): Promise<RecordedCase> {
  await using recorder = await guestRecorder({
    resources: { 'default/key/one': secret },
    tokenKey: tokenPair.privateKey,
    ...(resourcesPerSession !== undefined && { resourcesPerSession }),
  })
  const file = join(folder, 'tee-key.pem')
  if (teeKey) writeFileSync(file, pem(teeKey))
  const { exit, got, said } = await runGuest(program, {
    url: recorder.url,
    ...wishes,
    ...(teeKey && { teeKey: file }),
  })
  const statuses = recorder.exchanges.map(({ response }) => response.status).join(' ')
  console.log(`${program.version} ${program.name} ${name}: exit ${exit}, got ${got.length}, ${statuses}`)
  if (exit !== 0) console.log(said)
  const jwk = teeKey?.export({ format: 'jwk' })
  return {
    name,
    program: program.name,
    ...(jwk && { teeKey: jwk }),
    exchanges: recorder.exchanges,
    exit,
    got,
  }
}

/** Passport mode, as the Confidential Data Hub does it: one attests, another shows the token. */
async function recordedWithToken(guest: GuestProgram): Promise<RecordedCase> {
  const token = join(folder, 'token.jwt')
  const teeKey = teePrivateKey(told[guest.version][0]!)
  await recorded('a token for later', guest, { paths: [], saveToken: token }, { teeKey })
  return await recorded('a token from before', guest, { paths: [one], token }, { teeKey })
}

async function recordVersion(version: ProtocolVersion): Promise<void> {
  const programs = guestPrograms().filter((program) => program.version === version)
  const guest = programs.find(({ name }) => name === 'kbs-guest')
  assert.ok(guest, `there is no guest client of ${version} (sh test/peers/guest-clients.sh)`)
  const first = programs[0]!
  const cases = [
    await recorded('a secret', first, { paths: [one] }),
    await recorded('refused by policy', first, { paths: ['kbs:///secret/key/one'] }),
    await recorded('absent', first, { paths: ['kbs:///default/key/absent'] }),
    await recorded(
      'the session has ended in between',
      guest,
      { paths: [one, one] },
      { resourcesPerSession: 1 },
    ),
  ]
  for (const kind of told[version]) {
    const teeKey = teePrivateKey(kind)
    cases.push(await recorded(`a secret for ${kind}`, guest, { paths: [one] }, { teeKey }))
  }
  cases.push(await recordedWithToken(guest))
  if (version === '0.4.0') {
    const algorithm = 'ML-KEM-768+A192KW'
    cases.push(await recorded('a secret for ML-KEM-768', guest, { paths: [one], algorithm }))
    const device = { paths: [one], sampleDevice: true }
    cases.push(await recorded('a secret, with evidence of a device', first, device))
    const file = join(folder, 'initdata.toml')
    writeFileSync(file, initData)
    cases.push(await recorded('a secret, with init-data', guest, { paths: [one], initData: file }))
  }
  const document = {
    client: {
      repository: 'https://github.com/confidential-containers/guest-components',
      release: first.release,
    },
    version,
    secret,
    tokenKey: tokenPair.publicKey.export({ format: 'jwk' }),
    cases,
  }
  const file = join(import.meta.dirname, `../../src/attestation/recorded/${version}.json`)
  writeFileSync(file, `${JSON.stringify(document, null, 2)}\n`)
}

try {
  const asked = process.argv.slice(2)
  for (const version of protocolVersions) {
    if (asked.length === 0 || asked.includes(version)) await recordVersion(version)
  }
} finally {
  rmSync(folder, { recursive: true })
}
