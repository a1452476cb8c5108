// The library: each room's face under its own name.
export * as attestation from '#attestation/index.ts'
export * as base from '#base/index.ts'
export * as bundle from '#bundle/index.ts'
export * as content from '#content/index.ts'
export * as image from '#image/index.ts'
export * as oci from '#oci/index.ts'
export * as registry from '#registry/index.ts'
