import { X509Certificate } from 'node:crypto'
import { resolve } from 'node:path'
import { brokerServerLimits, type FileSystem, nodeFileSystem, readUpTo } from '#base/index.ts'
import { type BrokerConfiguration, type Finding, Findings, type TlsConfiguration } from '#broker/index.ts'
import { parseListenAddress, parseTlsFiles } from '#registry/server/index.ts'
import { failure } from '../codes.ts'
import { adminTrustPaths, parseAdminTrust } from './admins/admin-trust.ts'
import { checkAdminListener } from './listen-terms.ts'

/** What can be said of a broker's listeners before they listen: certificates, keys, and who may administer. */
export async function checkListeners(
  { listen = '127.0.0.1:8080', tls, admin }: Pick<BrokerConfiguration, 'listen' | 'tls' | 'admin'>,
  directory: string,
  at: Date,
  fs: FileSystem = nodeFileSystem,
): Promise<readonly Finding[]> {
  const findings = new Findings()
  const read = (paths: readonly string[]) =>
    Promise.all(paths.map((path) => readFile(fs, resolve(directory, path))))
  const certificate = async ({ certificate, key }: TlsConfiguration) => {
    const { cert } = parseTlsFiles(await read([certificate, key]))
    const { validToDate, validFromDate } = new X509Certificate(cert)
    const until = validToDate.toISOString()
    if (validToDate <= at) throw failure('BROKER_CERTIFICATE_ENDED', `${certificate} ended at ${until}`)
    if (validFromDate > at)
      throw failure('BROKER_CERTIFICATE_ENDED', `${certificate} counts from ${validFromDate.toISOString()}`)
    return `the certificate counts until ${until}`
  }
  await findings.look('listen', async () => {
    parseListenAddress(listen)
    return tls ? `${listen}; ${await certificate(tls)}` : `${listen}, without TLS`
  })
  if (!admin) {
    findings.ok('admin', 'nobody administers over the network')
    return findings.all
  }
  await findings.look('admin/listen', async () => {
    checkAdminListener(admin)
    return admin.tls ? `${admin.listen}; ${await certificate(admin.tls)}` : `${admin.listen}, without TLS`
  })
  await findings.look('admin/keys', async () => {
    const { keys, issuers } = parseAdminTrust(admin, await read(adminTrustPaths(admin)))
    if (admin.clientCa !== undefined) {
      const [ca] = await read([admin.clientCa])
      if (!ca?.includes('BEGIN CERTIFICATE'))
        throw failure('BROKER_ADMIN_KEYS_INVALID', 'there is no certificate in admin.clientCa')
    }
    const authority = admin.clientCa === undefined ? '' : ', and client certificates'
    return `keys: ${keys.length}, identity providers: ${issuers.length}${authority}`
  })
  return findings.all
}

async function readFile(fs: FileSystem, path: string): Promise<Buffer> {
  const file = await fs.open(path, 'read')
  try {
    return Buffer.from(await readUpTo(file, brokerServerLimits.fileBytes))
  } finally {
    await file.close()
  }
}
