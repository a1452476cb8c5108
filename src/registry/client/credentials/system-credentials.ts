import type { FileSystem } from '#base/index.ts'
import { failure } from '../codes.ts'
import { readSmallFile } from '../small-file.ts'
import { type AuthFile, lookupKeys, parseAuthFile } from './auth-file.ts'
import type { Credential, Credentials } from './credential.ts'
import { askHelper, type RunHelper } from './helper.ts'

export interface SystemCredentialsOptions {
  readonly files: FileSystem
  readonly env: Readonly<Record<string, string | undefined>>
  /** The user's number, for podman's default place. */
  readonly uid?: number | undefined
  readonly run: RunHelper
  readonly limits: {
    readonly credentialFileBytes: number
    readonly helperBytes: number
    readonly helperMs: number
  }
}

/** Files with credentials, in the order in which they are asked (containers-auth.json(5), docker login). */
export function credentialFiles(env: SystemCredentialsOptions['env'], uid: number | undefined): string[] {
  if (env.REGISTRY_AUTH_FILE) return [env.REGISTRY_AUTH_FILE]
  const home = env.HOME
  const config = env.XDG_CONFIG_HOME || (home && `${home}/.config`)
  const runtime = env.XDG_RUNTIME_DIR
    ? `${env.XDG_RUNTIME_DIR}/containers`
    : uid !== undefined && `/run/containers/${uid}`
  const docker = env.DOCKER_CONFIG || (home && `${home}/.docker`)
  return [
    ...(runtime ? [`${runtime}/auth.json`] : []),
    ...(config ? [`${config}/containers/auth.json`] : []),
    ...(docker ? [`${docker}/config.json`] : []),
  ]
}

/**
 * The credentials that docker and podman use, asked once per repository. Files are read when the first is needed.
 *
 * @throws CREDENTIALS_INVALID, CREDENTIAL_HELPER_FAILED (from the returned function)
 */
export function systemCredentials(options: SystemCredentialsOptions): Credentials {
  const { env, uid } = options
  const known = new Map<string, Promise<Credential | undefined>>()
  let loaded: Promise<AuthFile[]> | undefined
  return (registry, repository) => {
    const name = `${registry}/${repository}`
    let credential = known.get(name)
    if (!credential) {
      loaded ??= load(credentialFiles(env, uid), options)
      credential = loaded.then((files) => look(files, registry, repository, options))
      known.set(name, credential)
    }
    return credential
  }
}

async function load(
  paths: readonly string[],
  { files, limits }: SystemCredentialsOptions,
): Promise<AuthFile[]> {
  const loaded: AuthFile[] = []
  for (const path of paths) {
    const bytes = await readSmallFile(files, path, limits.credentialFileBytes).catch((cause) => {
      throw failure('CREDENTIALS_INVALID', `${path} cannot be read`, { cause })
    })
    if (bytes && bytes.length > 0) loaded.push(parseAuthFile(bytes, path))
  }
  return loaded
}

async function look(
  files: readonly AuthFile[],
  registry: string,
  repository: string,
  { run, limits }: SystemCredentialsOptions,
): Promise<Credential | undefined> {
  const keys = lookupKeys(registry, repository)
  // Docker and its helpers know Docker Hub by the address of its first version.
  const server = registry === 'docker.io' ? 'https://index.docker.io/v1/' : registry
  const ask = (name: string) =>
    askHelper({ name, server, run, timeoutMs: limits.helperMs, maxBytes: limits.helperBytes })
  for (const { auths, credHelpers, credsStore } of files) {
    const helper = keys.map((key) => credHelpers.get(key)).find((name) => name !== undefined)
    if (helper !== undefined && helper !== '') {
      const credential = await ask(helper)
      if (credential) return credential
    }
    const entry = keys.map((key) => auths.get(key)).find((found) => found !== undefined)
    if (entry) return entry
    const credential = credsStore === undefined ? undefined : await ask(credsStore)
    if (credential) return credential
  }
  return undefined
}
