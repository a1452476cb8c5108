import { resolve } from 'node:path'
import { limits } from '#base/index.ts'
import type { Subject } from '#gate/index.ts'
import { claimedProof, type Proof, proofOf } from '#trust/index.ts'
import type { Context } from '../context.ts'
import { readWhole } from '../files.ts'

/** Overrides that somebody brought as files: proofs as all others, judged and recorded as they are. */
export const readOverrides = (context: Context, paths: readonly string[]): Promise<Proof[]> =>
  Promise.all(
    paths.map(async (path) =>
      proofOf('bundle', await readWhole(resolve(context.cwd, path), limits.proofBytes)),
    ),
  )

/** Each override with the contents that it says it is about. What it claims is judged later. */
export function withOverrides(subjects: readonly Subject[], overrides: readonly Proof[]): readonly Subject[] {
  if (overrides.length === 0) return subjects
  return subjects.map((subject) => {
    const about = overrides.filter((proof) => claimedProof(proof).subjects.includes(subject.digest))
    return about.length === 0 ? subject : { ...subject, proofs: [...subject.proofs, ...about] }
  })
}
