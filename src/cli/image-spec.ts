import { resolve } from 'node:path'
import type { ProjectBuild } from '#bundle/index.ts'
import type { CallOptions } from '#content/index.ts'
import type { ImageSpec } from '#image/index.ts'
import { parsePlatform, parseReference } from '#oci/index.ts'
import type { Session } from './session.ts'

/** What the image room builds from what a project says: paths from its folder, the base from its registry. */
export async function imageSpec(
  build: ProjectBuild,
  directory: string,
  session: Pick<Session, 'registries'>,
  options: CallOptions = {},
): Promise<ImageSpec> {
  const { base, platform, layers, config } = build
  return {
    ...(base !== undefined && { base: await baseOf(base, session, options) }),
    ...(platform !== undefined && { platform: parsePlatform(platform) }),
    ...(config && { config }),
    layers: layers.map(({ files = [], executables = [], symlinks = [], directories = [] }) => ({
      files: files.map((file) => {
        return file.from === undefined ? file : { ...file, from: resolve(directory, file.from) }
      }),
      executables: executables.map((executable) => ({
        ...executable,
        from: resolve(directory, executable.from),
        ...(executable.to === undefined && { to: resolve(directory, executable.from) }),
      })),
      symlinks,
      directories,
    })),
  } as ImageSpec
}

async function baseOf(text: string, session: Pick<Session, 'registries'>, options: CallOptions) {
  const reference = parseReference(text)
  const source = (await session.registries()).repository(reference)
  const root = await source.resolve(reference.digest ?? reference.tag ?? 'latest', options)
  return { source, root }
}
