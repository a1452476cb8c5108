import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { request as secureRequest } from 'node:https'
import { join } from 'node:path'
import { freePort, type Workbench } from './workbench.ts'

/** A registry of others, with what a client needs to talk to it. */
export interface OtherRegistry {
  /** HOST:PORT */
  readonly registry: string
  /** For `sealift`, skopeo and crane alike: where credentials and CAs are found. */
  readonly env: Readonly<Record<string, string>>
  /** skopeo's options about it; a CA it finds by `env`. */
  skopeo(side: 'src' | 'dest'): readonly string[]
}

export interface OtherRegistryOptions {
  readonly password?: boolean
  readonly tls?: boolean
  /** distribution 3 takes an index whose children are absent when its configuration says so. */
  readonly sparse?: boolean
}

const user = 'operator'
const password = 'a password, with: colons'

/** Starts Debian's docker-registry (2.8) or distribution 3; their configuration files are the same. */
export async function startRegistry(
  bench: Workbench,
  peer: 'docker-registry' | 'distribution',
  options: OtherRegistryOptions = {},
): Promise<OtherRegistry> {
  const folder = bench.fresh(peer)
  mkdirSync(folder)
  const port = await freePort()
  const registry = `127.0.0.1:${port}`
  const certificates = options.tls === true ? await makeCertificates(bench, folder) : undefined
  if (options.password === true) {
    const { stdout } = await bench.run('htpasswd', ['-nbB', user, password])
    writeFileSync(join(folder, 'htpasswd'), stdout)
  }
  const configuration = {
    version: '0.1',
    log: { level: 'warn' },
    storage: { filesystem: { rootdirectory: join(folder, 'data') }, delete: { enabled: true } },
    http: {
      addr: registry,
      ...(certificates === undefined
        ? {}
        : { tls: { certificate: certificates.certificate, key: certificates.key } }),
    },
    ...(options.sparse === true ? { validation: { manifests: { indexes: { platforms: 'none' } } } } : {}),
    ...(options.password === true
      ? { auth: { htpasswd: { realm: 'interop', path: join(folder, 'htpasswd') } } }
      : {}),
  }
  // JSON is YAML.
  writeFileSync(join(folder, 'config.yml'), JSON.stringify(configuration))
  const ready = () => answers(registry, certificates?.ca)
  await bench.daemon(peer, ['serve', join(folder, 'config.yml')], ready, {
    env: { OTEL_TRACES_EXPORTER: 'none' },
  })

  const authFile = join(folder, 'auth.json')
  const auth = Buffer.from(`${user}:${password}`).toString('base64')
  writeFileSync(
    authFile,
    JSON.stringify({ auths: options.password === true ? { [registry]: { auth } } : {} }),
  )
  // Where containers-image and docker look for a CA of one registry, below HOME.
  const certsDirectory = join(folder, 'home', '.config', 'containers', 'certs.d', registry)
  mkdirSync(certsDirectory, { recursive: true })
  if (certificates !== undefined) copyFileSync(certificates.ca, join(certsDirectory, 'ca.crt'))
  return {
    registry,
    env: { HOME: join(folder, 'home'), REGISTRY_AUTH_FILE: authFile },
    skopeo: (side) => [
      ...['--authfile', authFile],
      ...(certificates === undefined ? [`--${side}-tls-verify=false`] : []),
    ],
  }
}

/** A CA and a certificate for 127.0.0.1, made by openssl. */
export async function makeCertificates(bench: Workbench, folder: string) {
  const at = (name: string) => join(folder, name)
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
  await bench.run('openssl', [
    ...['req', '-x509', ...key, '-subj', '/CN=interop CA'],
    ...['-keyout', at('ca.key'), '-out', at('ca.crt')],
  ])
  await bench.run('openssl', [
    ...['req', '-x509', ...key, '-subj', '/CN=registry', '-CA', at('ca.crt'), '-CAkey', at('ca.key')],
    ...['-addext', 'subjectAltName=IP:127.0.0.1', '-addext', 'basicConstraints=critical,CA:FALSE'],
    ...['-keyout', at('server.key'), '-out', at('server.crt')],
  ])
  return { ca: at('ca.crt'), certificate: at('server.crt'), key: at('server.key') }
}

/** Whether there is a registry yet; 401 is an answer. */
function answers(registry: string, ca?: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const url = `${ca === undefined ? 'http' : 'https'}://${registry}/v2/`
    const sent = ca === undefined ? request(url) : secureRequest(url, { ca: readFileSync(ca) })
    sent
      .once('response', (response) => {
        response.resume()
        resolve(response.statusCode === 200 || response.statusCode === 401)
      })
      .once('error', reject)
      .end()
  })
}
