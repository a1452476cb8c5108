import { basename, resolve } from 'node:path'
import type { Json } from '#base/index.ts'
import type { CallOptions, Target } from '#content/index.ts'
import {
  type Descriptor,
  formatReference,
  makeReference,
  parseReference,
  type Reference,
} from '#oci/index.ts'
import { checkBundle } from '../bundle-file.ts'
import type { BundleImage, CnabBundle } from '../bundle-schema.ts'
import { failure } from '../codes.ts'
import { openDefinition } from '../definition/definition.ts'
import { type WrittenArtifact, writeArtifact } from './artifact.ts'
import { chartConfigType, chartContentType, readChart } from './chart.ts'
import type { Project, ProjectBuild, ProjectChart, ProjectFile, ProjectImage } from './schema.ts'

/** What building a bundle needs from outside. */
export interface BuildBundleContext extends CallOptions {
  /** The folder that paths in the project count from. */
  readonly directory: string
  /** Asks a registry what a reference names. For an artifact of one file, `file` is its layer. */
  readonly resolve: (
    reference: Reference,
    options: CallOptions & { readonly file: boolean },
  ) => Promise<{ readonly root: Descriptor; readonly file?: Descriptor }>
  /** Opens a repository to push what is built to. */
  readonly target: (repository: Pick<Reference, 'registry' | 'repository'>) => Target | Promise<Target>
  /** Builds an image of a project, as `buildImage` of the image room does, with paths from `directory`. */
  readonly buildImage: (build: ProjectBuild, target: Target, tags: readonly string[]) => Promise<Descriptor>
  readonly parseYaml: (text: string) => unknown
}

/** One reference that the build pinned. */
export interface Pinned {
  /** Where in the project: a JSON pointer. */
  readonly path: string
  /** What the project says: a reference, or a file, or that it was built. */
  readonly from: string
  readonly to: string
  readonly how: 'resolved' | 'built' | 'pushed'
}

export const schemaVersion = 'v1.2.0'

/**
 * Builds a thin bundle from a project: builds and pushes what has to be, pins every reference to a digest, and
 * checks the whole. Nothing is told by a tag alone any more.
 *
 * @throws PROJECT_INVALID, BUNDLE_INVALID, DEFINITION_INVALID, CHART_INVALID, and what the context throws
 */
export async function buildBundle(
  project: Project,
  context: BuildBundleContext,
): Promise<{ readonly bundle: CnabBundle; readonly pinned: readonly Pinned[] }> {
  const builder = new Builder(project, context)
  const { description: _, ...invocation } = await builder.image(
    '/invocationImage',
    'installer',
    project.invocationImage,
  )
  const images: Record<string, BundleImage> = {}
  for (const [name, image] of Object.entries(project.images ?? {})) {
    images[name] = await builder.image(`/images/${name}`, name, image)
  }
  for (const group of ['vmImages', 'files'] as const) {
    for (const [name, file] of Object.entries(project[group] ?? {})) {
      images[name] = await builder.file(`/${group}/${name}`, name, file, group === 'files' ? 'file' : 'vm')
    }
  }
  for (const [name, chart] of Object.entries(project.charts ?? {})) {
    images[name] = await builder.chart(`/charts/${name}`, name, chart)
  }
  const bundle = checkBundle(bundleOf(project, invocation, images) as unknown as Json)
  for (const name of Object.keys(bundle.definitions ?? {})) openDefinition(bundle, name)
  return { bundle, pinned: builder.pinned }
}

class Builder {
  readonly pinned: Pinned[] = []
  readonly #project: Project
  readonly #context: BuildBundleContext

  constructor(project: Project, context: BuildBundleContext) {
    this.#project = project
    this.#context = context
  }

  async image(path: string, name: string, image: ProjectImage): Promise<BundleImage> {
    const { description, labels } = image
    if (image.image !== undefined) {
      const { reference, root } = await this.#resolve(path, image.image, false)
      return { ...imageOf(reference, root), ...optionalOf({ description, labels }) }
    }
    const { place, tag, target } = await this.#place(path, name)
    const root = await this.#context.buildImage(image.build as ProjectBuild, target, [tag])
    const reference = this.#pin(path, 'built', makeReference({ ...place, tag, digest: root.digest }), 'built')
    return { ...imageOf(reference, root), ...optionalOf({ description, labels }) }
  }

  async file(path: string, name: string, file: ProjectFile, kind: string): Promise<BundleImage> {
    const { description, labels } = file
    const imageType = file.imageType ?? (kind === 'vm' ? extensionOf(file.path ?? '') : 'file')
    const more = optionalOf({ description, labels })
    if (file.image !== undefined) {
      const { reference, file: layer } = await this.#resolve(path, file.image, true)
      if (!layer)
        throw failure('PROJECT_INVALID', `${path}/image names an artifact that does not hold one file`)
      const { digest, size, mediaType } = layer
      return { image: formatReference(reference), imageType, contentDigest: digest, size, mediaType, ...more }
    }
    const from = file.path as string
    const mediaType = file.mediaType ?? 'application/octet-stream'
    const blob = {
      mediaType,
      content: { path: this.#path(from) },
      annotations: { 'org.opencontainers.image.title': basename(from) },
    }
    const { reference, artifact } = await this.#push(path, name, from, (target, tags) =>
      writeArtifact({ artifactType: mediaType, blobs: [blob] }, target, { ...this.#signal, tags }),
    )
    const { digest, size } = artifact.layers[0] as Descriptor
    return { image: formatReference(reference), imageType, contentDigest: digest, size, mediaType, ...more }
  }

  async chart(path: string, name: string, chart: ProjectChart): Promise<BundleImage> {
    if (chart.image !== undefined) {
      const { reference, root } = await this.#resolve(path, chart.image, false)
      return { ...imageOf(reference, root), ...optionalOf({ description: chart.description }) }
    }
    const from = chart.path as string
    const metadata = await readChart(this.#path(from), this.#context.parseYaml)
    const { reference, artifact } = await this.#push(path, name, from, (target, tags) =>
      writeArtifact(
        {
          config: { mediaType: chartConfigType, bytes: metadata.config },
          blobs: [{ mediaType: chartContentType, content: { path: this.#path(from) } }],
          annotations: {
            'org.opencontainers.image.title': metadata.name,
            'org.opencontainers.image.version': metadata.version,
          },
        },
        target,
        // A tag holds no "+": helm writes "_" in its place.
        { ...this.#signal, tags: [...tags, metadata.version.replaceAll('+', '_')] },
      ),
    )
    const description = chart.description ?? metadata.description
    return { ...imageOf(reference, artifact.manifest), ...optionalOf({ description }) }
  }

  async #push(
    path: string,
    name: string,
    from: string,
    write: (target: Target, tags: readonly string[]) => Promise<WrittenArtifact>,
  ): Promise<{ reference: Reference; artifact: WrittenArtifact }> {
    const { place, tag, target } = await this.#place(path, name)
    const artifact = await write(target, [tag])
    const reference = this.#pin(
      path,
      from,
      makeReference({ ...place, tag, digest: artifact.manifest.digest }),
      'pushed',
    )
    return { reference, artifact }
  }

  async #resolve(path: string, text: string, file: boolean) {
    const named = parseReference(text)
    const found = await this.#context.resolve(named, { ...this.#signal, file })
    const { registry, repository, tag } = named
    const reference = makeReference({ registry, repository, tag, digest: found.root.digest })
    return { reference: this.#pin(path, text, reference, 'resolved'), ...found }
  }

  #pin(path: string, from: string, to: Reference, how: Pinned['how']): Reference {
    this.pinned.push({ path, from, to: formatReference(to), how })
    return to
  }

  /** Where something built goes: REGISTRY/PREFIX/BUNDLE/NAME:VERSION. */
  async #place(path: string, name: string) {
    const { registry: base, name: bundle, version } = this.#project
    if (base === undefined) {
      throw failure(
        'PROJECT_INVALID',
        `${path} has to be pushed somewhere, but the project names no registry`,
      )
    }
    const [registry = '', ...prefix] = base.split('/')
    const repository = [...prefix, componentOf(bundle), componentOf(name)].join('/')
    const place = { registry, repository }
    const tag = version.replaceAll('+', '_')
    return { place, tag, target: await this.#context.target(place) }
  }

  #path(path: string): string {
    return resolve(this.#context.directory, path)
  }

  get #signal(): CallOptions {
    return { signal: this.#context.signal }
  }
}

/** 101: for images, digest, size and type are the manifest's. */
function imageOf(reference: Reference, { mediaType, digest, size }: Descriptor): BundleImage {
  return { image: formatReference(reference), imageType: 'oci', contentDigest: digest, size, mediaType }
}

/** As part of a repository's name: lower case, anything else a dash. */
function componentOf(name: string): string {
  const plain = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
  if (plain !== '') return plain
  throw failure('PROJECT_INVALID', `${JSON.stringify(name)} cannot be part of a repository's name`)
}

const extensionOf = (path: string): string => /\.([a-z0-9]{1,16})$/i.exec(path)?.[1]?.toLowerCase() ?? 'vm'

function bundleOf(project: Project, invocation: BundleImage, images: Record<string, BundleImage>): object {
  const { name, version, description, keywords, license, maintainers, credentials, actions, custom } = project
  const definitions: Record<string, Json> = { ...project.definitions }
  const parameters: Record<string, object> = {}
  for (const [key, { schema, definition, env, path, ...rest }] of Object.entries(project.parameters ?? {})) {
    if (schema !== undefined) definitions[key] = schema
    parameters[key] = { definition: definition ?? key, destination: optionalOf({ env, path }), ...rest }
  }
  const outputs: Record<string, object> = {}
  for (const [key, { schema, definition, path, ...rest }] of Object.entries(project.outputs ?? {})) {
    if (schema !== undefined) definitions[key] = schema
    outputs[key] = { definition: definition ?? key, path: path ?? `/cnab/app/outputs/${key}`, ...rest }
  }
  const { requiredExtensions } = project
  return optionalOf({
    schemaVersion,
    name,
    version,
    description,
    keywords,
    license,
    maintainers,
    invocationImages: [invocation],
    images: emptyToNothing(images),
    definitions: emptyToNothing(definitions),
    parameters: emptyToNothing(parameters),
    credentials,
    outputs: emptyToNothing(outputs),
    actions,
    custom,
    requiredExtensions,
  })
}

const emptyToNothing = <T extends object>(map: T): T | undefined =>
  Object.keys(map).length === 0 ? undefined : map

/** Without the members that are undefined. */
function optionalOf<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}
