import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BaseFetcher, Updater } from 'tuf-js'
// Not in its face, though a 404 must be an instance of it to end the chain of roots.
import { DownloadHTTPError } from 'tuf-js/dist/error.js'
import { isFailure, type Json, limits, parseJson } from '#base/index.ts'
import { failure } from '../codes.ts'
import { askService, serviceUrl } from '../sign/signing-service.ts'

/** What TUF gave: the root, and the metadata from which the next update goes on. */
export interface TufRoot {
  readonly mirror: string
  readonly root: Json
  /** Of the repository's list of targets. */
  readonly version: number
  /** By file name. */
  readonly metadata: Readonly<Record<string, string>>
}

export interface TufUpdate {
  /** HTTPS, or this machine. */
  readonly mirror: string
  /** What is trusted to begin with: `root.json` of any version, or all that the last update gave. */
  readonly metadata: Readonly<Record<string, string>>
  /** Of the file in the repository; `trusted_root.json` is Sigstore's. */
  readonly target?: string
  readonly signal?: AbortSignal
}

const metadataFiles = ['root.json', 'timestamp.json', 'snapshot.json', 'targets.json']

/**
 * Fetches a trusted root as The Update Framework asks for (tuf-js): signatures and thresholds of every role, nothing
 * that has expired, nothing that goes back. Works on a copy of the metadata, so that a failure changes nothing.
 *
 * @throws TRUST_ROOT_EXPIRED, TRUST_ROOT_ROLLED_BACK, TRUST_ROOT_UPDATE_INVALID, SIGNING_SERVICE_UNREACHABLE,
 *   SIGNING_URL_INVALID
 */
export async function fetchTufRoot(update: TufUpdate): Promise<TufRoot> {
  const { target = 'trusted_root.json', signal } = update
  const mirror = serviceUrl(update.mirror)
  const directory = await mkdtemp(join(tmpdir(), 'sealift-tuf-'))
  try {
    for (const name of metadataFiles) {
      const text = update.metadata[name]
      if (text !== undefined) await writeFile(join(directory, name), text)
    }
    const path = join(directory, 'target')
    const updater = new Updater({
      metadataDir: directory,
      metadataBaseUrl: mirror,
      targetBaseUrl: `${mirror}/targets`,
      fetcher: new ServiceFetcher(signal),
    })
    await updater.refresh()
    const info = await updater.getTargetInfo(target)
    if (!info) throw failure('TRUST_ROOT_UPDATE_INVALID', `${mirror} knows no ${target}`)
    if (info.length > limits.manifestBytes) {
      throw failure('TRUST_ROOT_UPDATE_INVALID', `${target} has ${info.length} bytes, too many for a root`)
    }
    await updater.downloadTarget(info, path)
    const root = parseJson(await readFile(path), { maxBytes: limits.manifestBytes })
    const metadata = await readMetadata(directory)
    return { mirror, root, version: versionIn(metadata['targets.json']), metadata }
  } catch (cause) {
    signal?.throwIfAborted()
    throw isFailure(cause) ? cause : tufFailure(mirror, cause)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Asks as every other service is asked: with limits, over HTTPS or on this machine, following no redirect. */
class ServiceFetcher extends BaseFetcher {
  readonly #signal: AbortSignal | undefined

  constructor(signal: AbortSignal | undefined) {
    super()
    this.#signal = signal
  }

  override async fetch(url: string): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
    const who = 'the repository of trusted roots'
    const signal = this.#signal
    const { status, bytes } = await askService({ who, url, method: 'GET', ...(signal && { signal }) })
    if (status !== 200) throw new DownloadHTTPError(`HTTP ${status}`, status)
    return new Blob([Buffer.from(bytes)]).stream()
  }
}

async function readMetadata(directory: string): Promise<Record<string, string>> {
  const names = (await readdir(directory)).filter((name) => metadataFiles.includes(name)).sort()
  const read = names.map(async (name) => [name, await readFile(join(directory, name), 'utf8')] as const)
  return Object.fromEntries(await Promise.all(read))
}

/** tuf-js has verified the file; it is read once more only for its number. */
function versionIn(targets: string | undefined): number {
  const { signed } = JSON.parse(targets ?? '{}') as { signed?: { version?: number } }
  if (!Number.isSafeInteger(signed?.version)) {
    throw failure('TRUST_ROOT_UPDATE_INVALID', 'the list of targets has no version')
  }
  return signed?.version as number
}

function tufFailure(mirror: string, cause: unknown) {
  const { message } = cause as Error
  const said = `the trusted root of ${mirror} was not taken: ${message}`
  switch ((cause as Error).constructor.name) {
    case 'ExpiredMetadataError':
      return failure('TRUST_ROOT_EXPIRED', said, { cause })
    case 'BadVersionError':
    case 'EqualVersionError':
      return failure('TRUST_ROOT_ROLLED_BACK', said, { cause })
    case 'DownloadHTTPError':
      return failure('SIGNING_SERVICE_REFUSED', said, { cause })
    default:
      return failure('TRUST_ROOT_UPDATE_INVALID', said, { cause })
  }
}
