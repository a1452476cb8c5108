import { isFailure } from '#base/index.ts'
import { type CopyOptions, type CopyResult, copy, type Target } from '#content/index.ts'
import type { Descriptor } from '#oci/index.ts'
import type { CnabBundle } from '../bundle-schema.ts'
import type { LocateImage } from '../relocation/locate.ts'
import { openBundleGraph } from './bundle-source.ts'
import { configDresses } from './bundle-to-index.ts'

export interface PublishOptions extends CopyOptions {
  readonly locate: LocateImage
  readonly tags?: readonly string[]
  /** Whether the fallbacks of cnab-to-oci are tried where the target refuses the bundle's documents (201). */
  readonly fallbacks?: boolean
}

/**
 * Brings a bundle into one repository: its images, and the index that is its root (201).
 *
 * @throws IMAGE_DIGEST, and the codes of `openBundleGraph`, `copy` and the target
 */
export async function publishBundle(
  bundle: CnabBundle,
  target: Target,
  { locate, tags = [], fallbacks = false, ...options }: PublishOptions,
): Promise<{ readonly root: Descriptor; readonly result: CopyResult }> {
  const { signal } = options
  let refused: unknown
  for (const dress of fallbacks ? configDresses : configDresses.slice(0, 1)) {
    const { root, source } = await openBundleGraph(bundle, locate, { signal, dress })
    try {
      return { root, result: await copy(root, source, target, { ...options, tags }) }
    } catch (error) {
      if (!isFailure(error) || signal?.aborted) throw error
      refused ??= error
    }
  }
  // What counts is why the registry did not take the form that the spec asks for.
  throw refused
}
