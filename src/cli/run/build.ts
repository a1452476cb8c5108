import { dirname, resolve } from 'node:path'
import { limits } from '#base/index.ts'
import { buildBundle, formatBundle, parseProject } from '#bundle/index.ts'
import { readVerified } from '#content/index.ts'
import { buildImage, sourceDateEpoch } from '#image/index.ts'
import { digestOf, parseManifest, type Reference } from '#oci/index.ts'
import type { BuildFlags } from '../commands/build.ts'
import type { Context } from '../context.ts'
import { writeWhole } from '../files.ts'
import { imageSpec } from '../image-spec.ts'
import { openSession, type Session } from '../session.ts'
import { print } from '../shell/print.ts'
import { showProgress } from '../shell/progress.ts'
import { readProject } from '../yaml.ts'

export async function run(this: Context, flags: BuildFlags): Promise<void> {
  await using session = await openSession(this, flags)
  const path = resolve(this.cwd, flags.file)
  const project = parseProject(await readProject(path))
  const directory = dirname(path)
  const progress = showProgress(this)
  progress.onProgress({ type: 'phase', name: 'building' })
  const { signal } = session
  const { parse } = await import('yaml')
  const { bundle, pinned } = await buildBundle(project, {
    directory,
    signal,
    resolve: (reference, options) => resolveReference(session, reference, options),
    target: async (repository) => (await session.registries()).repository(repository),
    buildImage: async (build, target, tags) =>
      buildImage(await imageSpec(build, directory, session, { signal }), target, {
        epochSeconds: sourceDateEpoch(this.env),
        tags,
        signal,
        onProgress: progress.onProgress,
      }),
    parseYaml: parse,
  }).finally(progress.end)
  const bytes = formatBundle(bundle)
  await writeWhole(resolve(this.cwd, flags.output), bytes)
  const { name, version } = bundle
  const digest = digestOf(bytes)
  print(this, session.format, { file: flags.output, name, version, digest, pinned }, () =>
    [
      ...pinned.map(({ from, to, how }) => `${how.padEnd(8)}  ${from}\n          -> ${to}`),
      `${flags.output}: ${name} ${version}, ${digest}`,
    ].join('\n'),
  )
}

/** What a reference names now; for an artifact, the one file in it. */
async function resolveReference(
  session: Session,
  reference: Reference,
  { signal, file }: { signal?: AbortSignal | undefined; file: boolean },
) {
  const source = (await session.registries()).repository(reference)
  const wanted = reference.digest ?? reference.tag ?? 'latest'
  const root = await source.resolve(wanted, { signal })
  if (!file) return { root }
  const bytes = await readVerified(source, root, limits.manifestBytes, { signal })
  const manifest = parseManifest(bytes, root.mediaType)
  const [only, ...others] = manifest.kind === 'image' ? manifest.layers : []
  return only && others.length === 0 ? { root, file: only } : { root }
}
