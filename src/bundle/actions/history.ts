import type { Digest } from '#oci/index.ts'
import type { ClaimRecord } from '../claims/store.ts'

/** The last action that changed the installation, which says what it is now. A claim's revision tells: it is its id. */
export function lastModifying(history: readonly ClaimRecord[]): ClaimRecord | undefined {
  return history.findLast(({ claim }) => claim.revision === claim.id)
}

export const isUninstalled = ({ claim, result }: ClaimRecord): boolean =>
  claim.action === 'uninstall' && result?.status === 'succeeded'

/** The newest of each output, since the installation was last installed. */
export function lastOutputs(
  history: readonly ClaimRecord[],
): Map<string, { readonly digest: Digest; readonly record: ClaimRecord }> {
  const outputs = new Map<string, { digest: Digest; record: ClaimRecord }>()
  for (const record of history) {
    if (record.claim.action === 'install') outputs.clear()
    for (const [name, { contentDigest }] of Object.entries(record.result?.outputs ?? {})) {
      outputs.set(name, { digest: contentDigest, record })
    }
  }
  return outputs
}
