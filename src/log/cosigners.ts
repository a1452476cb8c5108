import { isFailure } from '#base/index.ts'
import { failure } from './codes.ts'
import { formatSignature, parseSignature } from './note.ts'
import type { Cosigner } from './types.ts'
import type { VerifiedTree } from './verified-tree.ts'

/**
 * Asks all witnesses at once for their signature lines.
 *
 * @param seen what each is known to have seen; told back here
 * @throws NOTE_KEY_UNKNOWN where fewer than `quorum` cosign, and LOG_ROLLED_BACK where one has seen more than there is
 */
export async function askCosigners(
  cosigners: readonly Cosigner[],
  quorum: number,
  checkpoint: string,
  tree: VerifiedTree,
  seen: Map<Cosigner, number>,
): Promise<string> {
  const answers = await Promise.allSettled(
    cosigners.map(async (cosigner) => {
      const lines = await ask(cosigner, checkpoint, tree, seen.get(cosigner) ?? 0)
      seen.set(cosigner, tree.size)
      return lines
    }),
  )
  const lines = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
  if (lines.length >= quorum) return lines.join('')
  const causes = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as Error] : []))
  const rolledBack = causes.find((cause) => isFailure(cause, 'LOG_ROLLED_BACK'))
  if (rolledBack) throw rolledBack
  const why = causes.map(({ message }) => message).join('; ')
  throw failure('NOTE_KEY_UNKNOWN', `${lines.length} witnesses have cosigned, not ${quorum}: ${why}`, {
    cause: causes[0],
    hint: 'See why the witnesses refuse. The entries may be in the log once they agree again.',
  })
}

async function ask(
  cosigner: Cosigner,
  checkpoint: string,
  tree: VerifiedTree,
  seen: number,
): Promise<string> {
  const from = async (oldSize: number) =>
    cosigner.cosign({ oldSize, proof: await tree.consistencyProof(oldSize, tree.size), checkpoint })
  let answer: string
  try {
    answer = await from(seen)
  } catch (error) {
    const size = isFailure(error, 'WITNESS_CONFLICT') ? error.detail.size : undefined
    if (typeof size !== 'number') throw error
    if (size > tree.size) {
      throw failure(
        'LOG_ROLLED_BACK',
        `${cosigner.name} has seen ${size} entries of this log of ${tree.size}`,
      )
    }
    answer = await from(size)
  }
  const lines = answer.split('\n')
  if (lines.pop() !== '' || lines.length === 0) {
    throw failure('NOTE_INVALID', `${cosigner.name} answered with something else than signature lines`)
  }
  return lines.map((line) => formatSignature(parseSignature(line))).join('')
}
