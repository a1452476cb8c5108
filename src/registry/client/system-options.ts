import { type FileSystem, limits, nodeFileSystem } from '#base/index.ts'
import type { RegistryClientOptions } from './client.ts'
import { runHelper } from './credentials/helper.ts'
import { systemCredentials } from './credentials/system-credentials.ts'
import { certificateFolders, certificates } from './http/certificates.ts'
import { environmentProxies } from './http/proxies.ts'

/**
 * What a command line wants: the credentials of docker and podman, the certificates of certs.d and SSL_CERT_FILE,
 * the proxies of the environment. Nothing is read before it is needed.
 */
export function systemRegistryOptions(
  env: Readonly<Record<string, string | undefined>>,
  files: FileSystem = nodeFileSystem,
): Required<Pick<RegistryClientOptions, 'credentials' | 'tls' | 'proxies'>> {
  const maxBytes = limits.credentialFileBytes
  return {
    credentials: systemCredentials({ env, files, uid: process.getuid?.(), run: runHelper, limits }),
    tls: certificates({ env, files, folders: certificateFolders(env), maxBytes }),
    proxies: environmentProxies(env),
  }
}
