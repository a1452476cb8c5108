import { createHash, timingSafeEqual } from 'node:crypto'
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { packageLimits } from '#base/index.ts'
import { failure } from './codes.ts'

const digestPattern = /^sha256:[0-9a-f]{64}$/

/**
 * The bytes of a package, where they are those that the digest names. The file is opened once and read once: whatever
 * becomes of it, or of a link to it, while or after that, only bytes with this digest are ever returned. Links are
 * followed, as files of a mounted ConfigMap are links.
 *
 * @param digest `sha256:` and 64 digits
 * @throws PACKAGE_INVALID where there is no file, or one over the limit; PACKAGE_DIGEST_DIFFERS
 */
export async function readPackage(
  path: string,
  digest: string,
  { bytes: most }: { readonly bytes: number } = packageLimits,
): Promise<Uint8Array> {
  if (!digestPattern.test(digest))
    throw failure('PACKAGE_INVALID', 'the digest of a package is sha256: and 64 lower-case hex digits')
  const bytes = await readFile(path, most)
  const found = createHash('sha256').update(bytes).digest()
  if (!timingSafeEqual(found, Buffer.from(digest.slice('sha256:'.length), 'hex')))
    throw failure(
      'PACKAGE_DIGEST_DIFFERS',
      `the package ${path} has the digest sha256:${found.toString('hex')}, and the configuration says ${digest}`,
      { detail: { path, expected: digest, found: `sha256:${found.toString('hex')}` } },
    )
  return bytes
}

async function readFile(path: string, most: number): Promise<Uint8Array> {
  try {
    // Without O_NONBLOCK a named pipe would be waited for until somebody writes to it.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const stats = await file.stat()
    if (!stats.isFile()) throw failure('PACKAGE_INVALID', `the package ${path} is not a file`)
    if (stats.size > most) throw tooLarge(path, most)
    // One more than there may be: the file may grow meanwhile.
    const bytes = Buffer.alloc(Math.min(stats.size, most) + 1)
    let filled = 0
    while (filled < bytes.length) {
      const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    if (filled > most) throw tooLarge(path, most)
    return bytes.subarray(0, filled)
  } catch (error) {
    const { code, syscall } = error as { code?: unknown; syscall?: unknown }
    if (typeof syscall !== 'string') throw error
    throw failure('PACKAGE_INVALID', `the package ${path} cannot be read: ${String(code)}`)
  }
}

const tooLarge = (path: string, most: number) =>
  failure('PACKAGE_INVALID', `the package ${path} is over the limit of ${most} bytes`)
