import { dirname, resolve } from 'node:path'
import { type ProjectBuild, parseProject } from '#bundle/index.ts'
import { buildImage, sourceDateEpoch } from '#image/index.ts'
import { failure } from '../codes.ts'
import type { ImageBuildFlags } from '../commands/image-build.ts'
import type { Context } from '../context.ts'
import { imageSpec } from '../image-spec.ts'
import { openTarget } from '../open-target.ts'
import { openSession } from '../session.ts'
import { print } from '../shell/print.ts'
import { showProgress } from '../shell/progress.ts'
import { readData } from '../yaml.ts'

export async function run(this: Context, flags: ImageBuildFlags, text: string): Promise<void> {
  await using session = await openSession(this, flags)
  const { signal } = session
  const location = await session.location(text)
  const path = flags.spec === undefined ? undefined : resolve(this.cwd, flags.spec)
  const given = path === undefined ? { layers: [] } : parseBuild(await readData(path))
  const directory = path === undefined ? this.cwd : dirname(path)
  const spec = await imageSpec(withFlags(given, flags, this.cwd), directory, session, { signal })
  // It has no digest yet: the place depends on the name alone.
  const unnamed = { root: { mediaType: '', digest: '' as never, size: 0 } }
  const named = location.kind === 'registry' || location.inside !== undefined
  const root = { ...unnamed, ...(!named && { reference: 'latest' }) }
  await using target = await openTarget(location, [root], session.registries)
  const place = target.placeOf(root)
  const tags = place.tags.length === 0 && location.kind === 'registry' ? ['latest'] : place.tags
  const progress = showProgress(this)
  progress.onProgress({ type: 'phase', name: 'building' })
  const built = await buildImage(spec, place.target, {
    epochSeconds: sourceDateEpoch(this.env),
    tags,
    signal,
    onProgress: progress.onProgress,
  }).finally(progress.end)
  const { digest, mediaType, size } = built
  print(this, session.format, { target: text, digest, mediaType, size, tags }, () => digest)
}

/** The same words as under `build` of an image in a project file. @throws PROJECT_INVALID */
function parseBuild(value: unknown): ProjectBuild {
  const project = { name: 'image', version: '0.0.0', registry: 'localhost' }
  const { invocationImage } = parseProject({ ...project, invocationImage: { build: value } } as never)
  return invocationImage.build as ProjectBuild
}

/** What the flags say goes over what the file says; files and executables are a layer of their own. */
function withFlags(build: ProjectBuild, flags: ImageBuildFlags, cwd: string): ProjectBuild {
  const files = (flags.file ?? []).map((pair) => {
    const [from, to] = split(pair)
    if (to === undefined) throw failure('USAGE', `--file ${pair} is not FROM:TO`)
    return { from: resolve(cwd, from), to }
  })
  const executables = (flags.executable ?? []).map((pair) => {
    const [from, to] = split(pair)
    return { from: resolve(cwd, from), ...(to !== undefined && { to }) }
  })
  const layers = [...build.layers]
  if (files.length + executables.length > 0) layers.push({ files, executables })
  if (layers.length === 0)
    throw failure('USAGE', 'there is nothing to build from: no -f, --file, --executable')
  const { base, platform, entrypoint, user, workingDir } = flags
  const env = Object.fromEntries((flags.env ?? []).map(variable))
  return {
    ...build,
    layers,
    ...(base !== undefined && { base }),
    ...(platform !== undefined && { platform }),
    config: {
      ...build.config,
      ...(entrypoint && entrypoint.length > 0 && { entrypoint: [...entrypoint] }),
      ...(user !== undefined && { user }),
      ...(workingDir !== undefined && { workingDir }),
      ...(Object.keys(env).length > 0 && { env: { ...build.config?.env, ...env } }),
    },
  }
}

function split(pair: string): [string, string?] {
  const colon = pair.lastIndexOf(':')
  return colon < 1 ? [pair] : [pair.slice(0, colon), pair.slice(colon + 1)]
}

function variable(pair: string): [string, string] {
  const equals = pair.indexOf('=')
  if (equals < 1) throw failure('USAGE', 'a --env is not NAME=VALUE')
  return [pair.slice(0, equals), pair.slice(equals + 1)]
}
