import { access } from 'node:fs/promises'
import { hostArchitecture, selectImage, unpackImage } from '#image/index.ts'
import { parseDigest, parseReference } from '#oci/index.ts'
import { RegistryClient } from '#registry/client/index.ts'

export interface PulledImage {
  readonly rootDirectory: string
  readonly entrypoint: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

/** Pulls an image by digest and unpacks it under `directory`, once. */
export async function pull(text: string, contentDigest: string, directory: string): Promise<PulledImage> {
  const reference = parseReference(text)
  const digest = parseDigest(contentDigest)
  if (reference.digest !== digest) throw new Error(`${text} is not the ${digest} that the bundle names`)
  await using client = new RegistryClient({})
  const repository = client.repository(reference)
  const root = await repository.resolve(digest)
  const image = await selectImage(repository, root, { os: 'linux', architecture: hostArchitecture() })
  const rootDirectory = `${directory}/${digest.replace(':', '-')}`
  const isThere = await access(rootDirectory).then(
    () => true,
    () => false,
  )
  if (!isThere) await unpackImage(repository, image, rootDirectory)
  const { entrypoint = [], cmd = [], env = [] } = image.config.execution ?? {}
  const environment = Object.fromEntries(
    env.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  )
  return { rootDirectory, entrypoint: [...entrypoint, ...cmd], environment }
}
