import { cost } from './measure.ts'
import type { Setting } from './setting.ts'

/** Brings the corpus' images into a registry, as bench/corpus:NAME. */
export async function loadCorpus({ corpus, sealift }: Setting, host: string): Promise<void> {
  for (const tag of corpus.tags) {
    await cost([[sealift, 'copy', `oci:${corpus.directory}:${tag}`, `${host}/bench/corpus:${tag}`]])
  }
}
