import { resolve } from 'node:path'
import type { RegistryServerOptions } from '#registry/server/index.ts'
import { failure } from './codes.ts'
import type { Context } from './context.ts'
import type { RegistryAccessFlags } from './flags.ts'

type AccessOptions = Pick<RegistryServerOptions, 'htpasswd' | 'accessRules' | 'tls'>

/** What the flags say about who may do what at a registry server, and how it proves itself. @throws USAGE */
export function registryAccess(
  context: Context,
  { htpasswd, access, tlsCert, tlsKey }: RegistryAccessFlags,
  anonymousPull = false,
): AccessOptions {
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw failure('USAGE', '--tls-cert and --tls-key belong together')
  }
  if (anonymousPull && htpasswd === undefined) {
    throw failure('USAGE', '--anonymous-pull is for a registry with --htpasswd')
  }
  if (anonymousPull && access !== undefined) {
    throw failure(
      'USAGE',
      '--anonymous-pull and --access exclude each other: the rules say what strangers may',
    )
  }
  const at = (path: string) => resolve(context.cwd, path)
  return {
    ...(htpasswd !== undefined && { htpasswd: { path: at(htpasswd), anonymousPull } }),
    ...(access !== undefined && { accessRules: { path: at(access) } }),
    ...(tlsCert !== undefined &&
      tlsKey !== undefined && { tls: { certificatePath: at(tlsCert), keyPath: at(tlsKey) } }),
  }
}
