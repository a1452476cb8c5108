// What signers and scanners push, made here with nothing but HTTP: the judges of Sealift must not be Sealift.
import { createHash } from 'node:crypto'

export interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
}

export const sha256 = (bytes: Buffer | string) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

const manifestType = 'application/vnd.oci.image.manifest.v1+json'

/** The bytes of a manifest or index as the registry serves them, and what it says of them. */
export async function fetchManifest(
  repository: string,
  reference: string,
): Promise<{ readonly descriptor: Descriptor; readonly bytes: Buffer }> {
  const accept = [
    manifestType,
    'application/vnd.oci.image.index.v1+json',
    'application/vnd.docker.distribution.manifest.v2+json',
    'application/vnd.docker.distribution.manifest.list.v2+json',
  ]
  const response = await fetch(url(repository, 'manifests', reference), {
    headers: { accept: accept.join(', ') },
  })
  const bytes = Buffer.from(await response.arrayBuffer())
  if (!response.ok) throw new Error(`${repository} ${reference}: ${response.status} ${bytes}`)
  const mediaType = response.headers.get('content-type') ?? ''
  return { descriptor: { mediaType, digest: sha256(bytes), size: bytes.length }, bytes }
}

/** Pushes an artifact that is about `subject` (OCI 1.1), as oras and cosign 3 do. */
export function pushReferrer(
  repository: string,
  subject: Descriptor,
  artifactType: string,
  content: string,
): Promise<Descriptor> {
  return pushArtifact(repository, undefined, { artifactType, subject }, content)
}

/** Pushes what cosign 1 and 2 wrote: a signature under the tag `sha256-<hex>.sig`, without a subject. */
export function pushLegacySignature(
  repository: string,
  subject: Descriptor,
  content: string,
): Promise<Descriptor> {
  return pushArtifact(repository, `${subject.digest.replace(':', '-')}.sig`, {}, content)
}

async function pushArtifact(
  repository: string,
  tag: string | undefined,
  members: Readonly<Record<string, unknown>>,
  content: string,
): Promise<Descriptor> {
  const config = await pushBlob(repository, 'application/vnd.oci.empty.v1+json', '{}')
  const layer = await pushBlob(repository, 'application/vnd.dev.cosign.simplesigning.v1+json', content)
  const manifest = { schemaVersion: 2, mediaType: manifestType, ...members, config, layers: [layer] }
  const bytes = JSON.stringify(manifest)
  const descriptor = { mediaType: manifestType, digest: sha256(bytes), size: Buffer.byteLength(bytes) }
  const response = await fetch(url(repository, 'manifests', tag ?? descriptor.digest), {
    method: 'PUT',
    headers: { 'content-type': manifestType },
    body: bytes,
  })
  if (response.status !== 201) throw new Error(`PUT: ${response.status} ${await response.text()}`)
  return descriptor
}

async function pushBlob(repository: string, mediaType: string, content: string): Promise<Descriptor> {
  const digest = sha256(content)
  const opened = await fetch(url(repository, 'blobs', 'uploads/'), { method: 'POST' })
  if (opened.status !== 202) throw new Error(`POST: ${opened.status} ${await opened.text()}`)
  const location = new URL(opened.headers.get('location') ?? '', opened.url)
  location.searchParams.set('digest', digest)
  const sent = await fetch(location, {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream' },
    body: content,
  })
  if (sent.status !== 201) throw new Error(`PUT: ${sent.status} ${await sent.text()}`)
  return { mediaType, digest, size: Buffer.byteLength(content) }
}

/** `repository` is HOST:PORT/NAME; plain HTTP, since all of this stays on loopback. */
function url(repository: string, kind: string, rest: string): string {
  const slash = repository.indexOf('/')
  return `http://${repository.slice(0, slash)}/v2/${repository.slice(slash + 1)}/${kind}/${rest}`
}
