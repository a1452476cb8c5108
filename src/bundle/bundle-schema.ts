import { type Static, Type } from 'typebox'
import type { Json } from '#base/index.ts'

const text = Type.String()
const texts = Type.Array(text)
const flag = Type.Boolean()
const optional = Type.Optional

const baseImage = {
  image: text,
  imageType: optional(text),
  contentDigest: optional(text),
  mediaType: optional(text),
  size: optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })),
  labels: optional(Type.Record(text, text)),
}

/** An entry of `invocationImages` (101, Invocation Images). */
export const invocationImageSchema = Type.Object(baseImage)
/** An entry of `images` (101, The Image Map). */
export const imageSchema = Type.Object({ ...baseImage, description: optional(text) })

export const parameterSchema = Type.Object({
  definition: text,
  destination: Type.Object({ env: optional(text), path: optional(text) }),
  applyTo: optional(texts),
  required: optional(flag),
  description: optional(text),
})

export const credentialSchema = Type.Object({
  env: optional(text),
  path: optional(text),
  applyTo: optional(texts),
  required: optional(flag),
  description: optional(text),
})

export const outputSchema = Type.Object({
  definition: text,
  path: text,
  applyTo: optional(texts),
  description: optional(text),
})

export const actionSchema = Type.Object({
  title: optional(text),
  description: optional(text),
  modifies: optional(flag),
  stateless: optional(flag),
})

export const maintainerSchema = Type.Object({ name: text, email: optional(text), url: optional(text) })

const map = <T extends Parameters<typeof Type.Record>[1]>(of: T) => optional(Type.Record(text, of))

/** The shape of bundle.json. Only the top level is closed: members inside that nobody knows are carried. */
export const bundleSchema = Type.Object(
  {
    schemaVersion: text,
    name: Type.String({ minLength: 1 }),
    version: text,
    description: optional(text),
    keywords: optional(texts),
    license: optional(text),
    maintainers: optional(Type.Array(maintainerSchema)),
    invocationImages: Type.Array(invocationImageSchema, { minItems: 1 }),
    images: map(imageSchema),
    definitions: map(Type.Unsafe<Json>({ type: ['object', 'boolean'] })),
    parameters: map(parameterSchema),
    credentials: map(credentialSchema),
    outputs: map(outputSchema),
    actions: map(actionSchema),
    custom: map(Type.Unsafe<Json>({})),
    requiredExtensions: optional(texts),
  },
  { additionalProperties: false },
)

export type InvocationImage = Static<typeof invocationImageSchema>
export type BundleImage = Static<typeof imageSchema>
export type Parameter = Static<typeof parameterSchema>
export type Credential = Static<typeof credentialSchema>
export type Output = Static<typeof outputSchema>
export type Action = Static<typeof actionSchema>
export type Maintainer = Static<typeof maintainerSchema>
/** A CNAB 1.2 bundle descriptor (101), checked by `parseBundle`. */
export type CnabBundle = Static<typeof bundleSchema>
