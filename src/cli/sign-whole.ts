import { basename } from 'node:path'
import { type FileSystem, nodeFileSystem, replaceFile } from '#base/index.ts'
import { type Digest, Digester } from '#oci/index.ts'
import { formatStatement, imageSignatureType, type SigningMeans, sealStatement } from '#trust/index.ts'
import type { Context } from './context.ts'
import { showProgress } from './shell/progress.ts'

/** Where the signature over a whole file is. */
export const detachedSignaturePath = (path: string): string => `${path}.sigstore.json`

/**
 * Signs a file by the digest of all its bytes (CNAB 303: a thick bundle is signed over the archive's digest), and
 * writes the Sigstore bundle beside it. The file stays as it is; one that is signed already gets the new signature.
 */
export async function signWhole(
  context: Context,
  path: string,
  annotations: Readonly<Record<string, string>>,
  means: SigningMeans,
): Promise<{ readonly digest: Digest; readonly file: string }> {
  const { signal } = context
  const digest = await digestOfFile(context, path)
  const statement = formatStatement([{ digest, name: basename(path), annotations }], imageSignatureType)
  const { bundle } = await sealStatement(statement, means, { signal })
  const file = detachedSignaturePath(path)
  await replaceFile(nodeFileSystem, file, bundle)
  return { digest, file }
}

/** Reads the whole file. @throws FILE_SYSTEM */
export async function digestOfFile(
  context: Context,
  path: string,
  fs: FileSystem = nodeFileSystem,
): Promise<Digest> {
  const file = await fs.open(path, 'read')
  const progress = showProgress(context)
  try {
    progress.onProgress({ type: 'phase', name: 'reading' })
    const digester = new Digester()
    const buffer = new Uint8Array(1024 * 1024)
    for (let at = 0; ; ) {
      context.signal.throwIfAborted()
      const count = await file.read(buffer, at)
      if (count === 0) return digester.finish()
      digester.update(buffer.subarray(0, count))
      progress.onProgress({ type: 'advance', sizeBytes: count })
      at += count
    }
  } finally {
    progress.end()
    await file.close()
  }
}
