import { isRepositoryName } from '#oci/index.ts'
import { failure } from './codes.ts'
import type { Place } from './place.ts'
import type { RegistryHost } from './registry-host.ts'

/**
 * The places of a repository on mirrors: a path in a mirror's URL goes before the repository's name, so
 * `https://mirror.example/hub` keeps `library/nginx` as `hub/library/nginx`.
 *
 * @throws REGISTRY_UNREACHABLE where a mirror is not an http or https URL without name, query or fragment
 */
export function mirrorPlaces(
  mirrors: readonly string[],
  repository: string,
  hostOf: (url: URL) => RegistryHost,
): Place[] {
  return mirrors.map((mirror) => {
    const url = URL.parse(mirror)
    const prefix = url?.pathname.replace(/^\/+|\/+$/g, '') ?? ''
    const name = prefix === '' ? repository : `${prefix}/${repository}`
    const isWeb = url?.protocol === 'https:' || url?.protocol === 'http:'
    if (
      !url ||
      !isWeb ||
      url.username !== '' ||
      url.search !== '' ||
      url.hash !== '' ||
      !isRepositoryName(name)
    ) {
      throw failure('REGISTRY_UNREACHABLE', 'a mirror is not the URL of a registry', {
        hint: 'Write it as https://HOST[:PORT][/PREFIX].',
      })
    }
    return { host: hostOf(url), repository: name }
  })
}
