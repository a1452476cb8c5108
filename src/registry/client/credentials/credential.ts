/** What one registry accepts from one account. Never shown, logged or put into an error. */
export interface Credential {
  readonly username?: string
  readonly password?: string
  /** A refresh token of the registry's token server (`identitytoken`). */
  readonly identityToken?: string
  /** A bearer token to be sent as it is (`registrytoken`). */
  readonly registryToken?: string
}

/** The credential for a repository of a registry (HOST[:PORT], `docker.io`), or undefined for none. */
export type Credentials = (
  registry: string,
  repository: string,
  signal?: AbortSignal,
) => Promise<Credential | undefined>

export const anonymous: Credentials = async () => undefined
