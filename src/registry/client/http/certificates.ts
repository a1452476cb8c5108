import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls'
import type { FileSystem } from '#base/index.ts'
import { failure } from '../codes.ts'
import { readSmallFile } from '../small-file.ts'

/** What TLS with one host needs: whom to trust, and who we are. */
export type TlsOf = (host: string) => Promise<SecureContext>

export interface CertificateOptions {
  readonly files: FileSystem
  readonly env: Readonly<Record<string, string | undefined>>
  /** Folders with one folder per host (HOST or HOST:PORT); the first that has one for the host counts. */
  readonly folders: readonly string[]
  readonly maxBytes: number
}

/** Where container tools keep certificates (containers-certs.d(5), Docker's certificate documentation). */
export function certificateFolders(env: Readonly<Record<string, string | undefined>>): string[] {
  // skopeo and podman look below HOME even where XDG_CONFIG_HOME names another folder.
  const configs = [env.XDG_CONFIG_HOME, env.HOME && `${env.HOME}/.config`].filter((folder) => folder)
  return [
    ...new Set(configs.map((folder) => `${folder}/containers/certs.d`)),
    '/etc/containers/certs.d',
    '/etc/docker/certs.d',
  ]
}

/**
 * TLS as container tools do it: `*.crt` in the host's folder are CAs beside those of the system (or of SSL_CERT_FILE),
 * `NAME.cert` with `NAME.key` are client certificates.
 *
 * @throws CERTIFICATES_INVALID
 */
export function certificates({ files, env, folders, maxBytes }: CertificateOptions): TlsOf {
  const known = new Map<string, Promise<SecureContext>>()
  let roots: Promise<string[]> | undefined
  const read = async (path: string): Promise<string> => {
    const bytes = await readSmallFile(files, path, maxBytes).catch((cause) => {
      throw failure('CERTIFICATES_INVALID', `${path} cannot be read`, { cause })
    })
    if (!bytes) throw failure('CERTIFICATES_INVALID', `there is no ${path}`)
    return Buffer.from(bytes).toString('latin1')
  }
  const trusted = async () => (env.SSL_CERT_FILE ? [await read(env.SSL_CERT_FILE)] : systemRoots())

  async function load(host: string): Promise<SecureContext> {
    roots ??= trusted()
    const ca = [...(await roots)]
    const cert: string[] = []
    const key: string[] = []
    const { folder, names } = await folderOf(files, folders, host)
    for (const name of names) {
      const path = `${folder}/${name}`
      if (name.endsWith('.crt')) ca.push(checked(path, await read(path), (pem) => new X509Certificate(pem)))
      else if (name.endsWith('.cert')) {
        const keyPath = `${path.slice(0, -'.cert'.length)}.key`
        cert.push(checked(path, await read(path), (pem) => new X509Certificate(pem)))
        key.push(checked(keyPath, await read(keyPath), createPrivateKey))
      }
    }
    return createSecureContext({ ca, ...(cert.length > 0 && { cert, key }) })
  }

  return (host) => {
    let context = known.get(host)
    if (!context) {
      context = load(host)
      known.set(host, context)
      context.catch(() => known.delete(host))
    }
    return context
  }
}

/** What the system trusts; where it has no store of its own, what Node brings along. */
function systemRoots(): string[] {
  const system = getCACertificates('system')
  return [...(system.length > 0 ? system : getCACertificates('bundled')), ...getCACertificates('extra')]
}

async function folderOf(files: FileSystem, folders: readonly string[], host: string) {
  // 'reg.example' and 'reg.example:443' are the same place.
  const spellings = host.endsWith(':443')
    ? [host, host.slice(0, -4)]
    : /:\d+$/.test(host)
      ? [host]
      : [host, `${host}:443`]
  for (const parent of folders) {
    for (const spelling of spellings) {
      const folder = `${parent}/${spelling}`
      const names = (await files.list(folder))
        .filter(({ kind }) => kind !== 'directory')
        .map(({ name }) => name)
      if (names.length > 0) return { folder, names }
    }
  }
  return { folder: '', names: [] }
}

/** Fails with the path in the message, and never with what the file holds. */
function checked(path: string, pem: string, parse: (pem: string) => unknown): string {
  try {
    parse(pem)
    return pem
  } catch {
    throw failure('CERTIFICATES_INVALID', `${path} is not a PEM certificate or key`)
  }
}
