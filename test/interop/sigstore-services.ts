// The real services of Sigstore, each of this test's own: Fulcio, time-stamp authority, Rekor 1 (Trillian over
// PostgreSQL) and Rekor 2, and the trusted root that knows them.
import { execFileSync } from 'node:child_process'
import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  X509Certificate,
} from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type OidcIssuer, startOidcIssuer } from './oidc-issuer.ts'
import { findPeer, peersCache } from './peers.ts'
import { startPostgres } from './postgres.ts'
import { freePort, type Workbench } from './workbench.ts'

export interface SigstoreServices {
  readonly issuer: OidcIssuer
  readonly fulcioUrl: string
  readonly timestampUrl: string
  readonly rekor1Url: string
  readonly rekor2Url: string
  /** JSON of a trusted root with all of them, in a file. */
  readonly trustedRoot: string
  /** Signing configurations with Fulcio, time stamps, and one log each (or none), in files. */
  readonly signingConfigs: { readonly rekor1: string; readonly rekor2: string; readonly logless: string }
}

const since = '2020-01-01T00:00:00Z'
const answers = async (url: string) => (await fetch(url)).ok
const textAt = async (url: string) => {
  const answer = await fetch(url)
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`)
  return answer.text()
}

/** Starts all of them; they end with the bench. */
export async function startSigstore(bench: Workbench): Promise<SigstoreServices> {
  const issuer = await startOidcIssuer(bench)
  const [fulcio, stamps, rekor1, rekor2] = await Promise.all([
    startFulcio(bench, issuer),
    startTimestampAuthority(bench),
    startRekor1(bench),
    startRekor2(bench),
  ])
  const trustedRoot = bench.fresh('trusted_root.json')
  writeFileSync(
    trustedRoot,
    JSON.stringify({
      mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
      certificateAuthorities: [authority(fulcio.url, fulcio.chain)],
      timestampAuthorities: [authority(stamps.url, stamps.chain)],
      ctlogs: [],
      tlogs: [rekor1.log, rekor2.log],
    }),
  )
  const config = (name: string, logs: readonly { url: string; majorApiVersion: number }[]) => {
    const file = bench.fresh(`${name}.json`)
    const service = (url: string, majorApiVersion = 1) => ({
      ...{ url, majorApiVersion, validFor: { start: since } },
      operator: 'interop',
    })
    const rekorTlogUrls = logs.map(({ url, majorApiVersion }) => service(url, majorApiVersion))
    writeFileSync(
      file,
      JSON.stringify({
        mediaType: 'application/vnd.dev.sigstore.signingconfig.v0.2+json',
        caUrls: [service(fulcio.url)],
        oidcUrls: [service(issuer.url)],
        rekorTlogUrls,
        ...(logs.length > 0 && { rekorTlogConfig: { selector: 'ANY' } }),
        tsaUrls: [service(`${stamps.url}/api/v1/timestamp`)],
        tsaConfig: { selector: 'ANY' },
      }),
    )
    return file
  }
  return {
    issuer,
    fulcioUrl: fulcio.url,
    timestampUrl: stamps.url,
    rekor1Url: rekor1.url,
    rekor2Url: rekor2.url,
    trustedRoot,
    signingConfigs: {
      rekor1: config('rekor1', [{ url: rekor1.url, majorApiVersion: 1 }]),
      rekor2: config('rekor2', [{ url: rekor2.url, majorApiVersion: 2 }]),
      logless: config('logless', []),
    },
  }
}

/** With a certificate authority that it makes at its start, and no certificate-transparency log. */
async function startFulcio(bench: Workbench, issuer: OidcIssuer) {
  const file = bench.fresh('fulcio.json')
  const known = { IssuerURL: issuer.url, ClientID: 'sigstore', Type: 'email' }
  writeFileSync(file, JSON.stringify({ OIDCIssuers: { [issuer.url]: known } }))
  const [port, grpc, metrics] = [await freePort(), await freePort(), await freePort()]
  const url = `http://127.0.0.1:${port}`
  const at = ['--host', '127.0.0.1', '--grpc-host', '127.0.0.1']
  const ports = ['--port', `${port}`, '--grpc-port', `${grpc}`, '--metrics-port', `${metrics}`]
  const socket = ['--legacy-unix-domain-socket', bench.fresh('fulcio.sock')]
  const args = ['serve', '--ca', 'ephemeralca', '--ct-log-url', '', '--config-path', file]
  await bench.daemon('fulcio', [...args, ...at, ...ports, ...socket], () =>
    answers(`${url}/api/v2/trustBundle`),
  )
  const bundle = JSON.parse(await textAt(`${url}/api/v2/trustBundle`)) as {
    chains: { certificates: string[] }[]
  }
  return { url, chain: (bundle.chains[0]?.certificates ?? []).map(derOf) }
}

async function startTimestampAuthority(bench: Workbench) {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const args = ['serve', '--host', '127.0.0.1', '--port', `${port}`, '--timestamp-signer', 'memory']
  const ready = () => answers(`${url}/api/v1/timestamp/certchain`)
  await bench.daemon('timestamp-server', [...args, '--disable-ntp-monitoring'], ready)
  const pem = await textAt(`${url}/api/v1/timestamp/certchain`)
  return {
    url,
    chain: pem
      .split(/(?<=-----END CERTIFICATE-----\n)/)
      .filter((one) => one.trim())
      .map(derOf),
  }
}

/** Rekor with Trillian as its log and PostgreSQL as Trillian's storage; no search index, which nobody needs here. */
async function startRekor1(bench: Workbench) {
  const postgres = await startPostgres()
  bench.onClose(async () => postgres[Symbol.asyncDispose]())
  const psql = findPeer('psql')
  if (psql === undefined) throw new Error('psql is not installed')
  execFileSync(psql, ['-q', '-d', postgres.url, '-f', join(peersCache, 'share', 'trillian.sql')], {
    stdio: 'pipe',
  })
  const storage = ['--storage_system=postgresql', '--quota_system=noop', `--postgresql_uri=${postgres.url}`]
  const [rpc, http, signerRpc, signerHttp] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ]
  const local = (port: number) => `127.0.0.1:${port}`
  await Promise.all([
    bench.daemon(
      'trillian_log_server',
      [...storage, `--rpc_endpoint=${local(rpc)}`, `--http_endpoint=${local(http)}`],
      () => answers(`http://${local(http)}/healthz`),
    ),
    bench.daemon(
      'trillian_log_signer',
      [
        ...storage,
        ...['--force_master', '--sequencer_interval=100ms'],
        ...[`--rpc_endpoint=${local(signerRpc)}`, `--http_endpoint=${local(signerHttp)}`],
      ],
      () => answers(`http://${local(signerHttp)}/healthz`),
    ),
  ])
  const port = await freePort()
  const url = `http://${local(port)}`
  const endpoints = 'getLogInfo,getPublicKey,getLogProof,createLogEntry,getLogEntryByIndex,getLogEntryByUUID'
  await bench.daemon(
    'rekor-server',
    [
      'serve',
      ...['--host', '127.0.0.1', '--rekor_server.address', '127.0.0.1', '--port', `${port}`],
      ...['--trillian_log_server.address', '127.0.0.1', '--trillian_log_server.port', `${rpc}`],
      ...['--rekor_server.hostname', '127.0.0.1', '--rekor_server.signer', 'memory'],
      ...['--enabled_api_endpoints', endpoints],
    ],
    () => answers(`${url}/api/v1/log/publicKey`),
  )
  const key = createPublicKey(await textAt(`${url}/api/v1/log/publicKey`))
  const spki = key.export({ type: 'spki', format: 'der' })
  const keyId = createHash('sha256').update(spki).digest()
  return { url, log: logOf(url, spki, 'PKIX_ECDSA_P256_SHA_256', keyId) }
}

/** Rekor 2 with its tiles in a folder. */
async function startRekor2(bench: Workbench) {
  const folder = bench.fresh('rekor2')
  mkdirSync(join(folder, 'log'), { recursive: true })
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  writeFileSync(join(folder, 'key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const [port, grpc, metrics] = [await freePort(), await freePort(), await freePort()]
  const url = `http://127.0.0.1:${port}`
  // The origin of its checkpoints, which readers expect to be the name of its host.
  const hostname = '127.0.0.1'
  await bench.daemon(
    'rekor-tiles',
    [
      'serve',
      ...['--http-port', `${port}`, '--grpc-port', `${grpc}`, '--http-metrics-port', `${metrics}`],
      ...[
        '--hostname',
        hostname,
        '--storage-dir',
        join(folder, 'log'),
        '--signer-filepath',
        join(folder, 'key.pem'),
      ],
      ...['--checkpoint-interval', '1s', '--batch-max-age', '100ms'],
    ],
    () => answers(`${url}/healthz`),
  )
  const keyId = noteKeyId(hostname, publicKey)
  return { url, log: logOf(url, publicKey.export({ type: 'spki', format: 'der' }), 'PKIX_ED25519', keyId) }
}

/** C2SP signed-note: SHA-256 over name, line feed, type, key; Sigstore keeps all 32 bytes. */
function noteKeyId(name: string, key: KeyObject): Buffer {
  const raw = Buffer.from(key.export({ format: 'jwk' }).x as string, 'base64url')
  return createHash('sha256')
    .update(`${name}\n`)
    .update(Buffer.from([1]))
    .update(raw)
    .digest()
}

const logOf = (baseUrl: string, spki: Buffer, keyDetails: string, keyId: Buffer) => ({
  baseUrl,
  hashAlgorithm: 'SHA2_256',
  publicKey: { rawBytes: spki.toString('base64'), keyDetails, validFor: { start: since } },
  logId: { keyId: keyId.toString('base64') },
})

const authority = (uri: string, chain: readonly Buffer[]) => ({
  subject: { organization: 'interop', commonName: 'interop' },
  uri,
  certChain: { certificates: chain.map((der) => ({ rawBytes: der.toString('base64') })) },
  validFor: { start: since },
})

const derOf = (pem: string): Buffer => new X509Certificate(pem).raw
