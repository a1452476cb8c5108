import { type Static, Type } from 'typebox'
import type { Json } from '#base/index.ts'

const text = Type.String()
const texts = Type.Array(text)
const closed = { additionalProperties: false } as const
const flag = Type.Boolean()
const optional = Type.Optional
const labels = Type.Record(text, text)
const mode = Type.Integer({ minimum: 0, maximum: 0o7777 })

/** How an image is built, all paths from the folder of the project file: what `#image` takes as a layer. */
export const layerSchema = Type.Object(
  {
    files: optional(
      Type.Array(
        Type.Object(
          { from: optional(text), content: optional(text), to: text, mode: optional(mode) },
          closed,
        ),
      ),
    ),
    executables: optional(
      Type.Array(Type.Object({ from: text, to: optional(text), libraries: optional(texts) }, closed)),
    ),
    symlinks: optional(Type.Array(Type.Object({ path: text, target: text }, closed))),
    directories: optional(Type.Array(Type.Object({ path: text, mode: optional(mode) }, closed))),
  },
  closed,
)

export const buildSchema = Type.Object(
  {
    /** A reference to the image to add to; scratch where it is not said. */
    base: optional(text),
    platform: optional(text),
    layers: Type.Array(layerSchema, { minItems: 1 }),
    config: optional(
      Type.Object(
        {
          entrypoint: optional(texts),
          cmd: optional(texts),
          env: optional(labels),
          workingDir: optional(text),
          user: optional(text),
          labels: optional(labels),
          exposedPorts: optional(texts),
          volumes: optional(texts),
          stopSignal: optional(text),
        },
        closed,
      ),
    ),
  },
  closed,
)

/** Exactly one of `image`, a reference, and `build`. */
const imageSchema = Type.Object(
  {
    image: optional(text),
    build: optional(buildSchema),
    description: optional(text),
    labels: optional(labels),
  },
  closed,
)

/** Exactly one of `path`, a file, and `image`, a reference to an artifact that holds one. */
const fileSchema = Type.Object(
  {
    path: optional(text),
    image: optional(text),
    mediaType: optional(text),
    imageType: optional(text),
    description: optional(text),
    labels: optional(labels),
  },
  closed,
)

const chartSchema = Type.Object(
  { path: optional(text), image: optional(text), description: optional(text) },
  closed,
)
const applying = { applyTo: optional(texts), description: optional(text) }

/** `definition` names one; `schema` is one of its own. */
const parameterSchema = Type.Object(
  {
    definition: optional(text),
    schema: optional(Type.Unsafe<Json>({ type: ['object', 'boolean'] })),
    env: optional(text),
    path: optional(text),
    required: optional(flag),
    ...applying,
  },
  closed,
)
const outputSchema = Type.Object(
  {
    definition: optional(text),
    schema: optional(Type.Unsafe<Json>({ type: ['object', 'boolean'] })),
    path: optional(text),
    ...applying,
  },
  closed,
)
const credentialSchema = Type.Object(
  { env: optional(text), path: optional(text), required: optional(flag), ...applying },
  closed,
)
const actionSchema = Type.Object(
  { title: optional(text), description: optional(text), modifies: optional(flag), stateless: optional(flag) },
  closed,
)
const maintainerSchema = Type.Object({ name: text, email: optional(text), url: optional(text) }, closed)
const map = <T extends Parameters<typeof Type.Record>[1]>(of: T) => optional(Type.Record(text, of))

/** sealift.yaml, once YAML is read. */
export const projectSchema = Type.Object(
  {
    name: text,
    version: text,
    description: optional(text),
    keywords: optional(texts),
    license: optional(text),
    maintainers: optional(Type.Array(maintainerSchema)),
    /** REGISTRY/PREFIX where what is built is pushed. */
    registry: optional(text),
    invocationImage: imageSchema,
    images: map(imageSchema),
    vmImages: map(fileSchema),
    files: map(fileSchema),
    charts: map(chartSchema),
    parameters: map(parameterSchema),
    credentials: map(credentialSchema),
    outputs: map(outputSchema),
    actions: map(actionSchema),
    definitions: map(Type.Unsafe<Json>({ type: ['object', 'boolean'] })),
    custom: map(Type.Unsafe<Json>({})),
    requiredExtensions: optional(texts),
  },
  closed,
)

export type Project = Static<typeof projectSchema>
export type ProjectImage = Static<typeof imageSchema>
export type ProjectFile = Static<typeof fileSchema>
export type ProjectChart = Static<typeof chartSchema>
export type ProjectBuild = Static<typeof buildSchema>
