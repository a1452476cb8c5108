import type { KeyObject } from 'node:crypto'
import { resolve } from 'node:path'
import { limits } from '#base/index.ts'
import type { Signer } from '#keys/index.ts'
import { failure } from './codes.ts'
import type { Context } from './context.ts'
import { readWhole } from './files.ts'
import type { PasswordFlags } from './flags.ts'
import { readPassword } from './password.ts'

/**
 * The signer of an encrypted key file (`--key`), for which it asks the password.
 *
 * @throws USAGE for a key that is not encrypted, KEY_FILE_INVALID, KEY_PASSWORD_WRONG, KEY_TYPE_REFUSED,
 *   FILE_SYSTEM, and the codes of `readPassword`
 */
export async function openSigner(context: Context, path: string, flags: PasswordFlags): Promise<Signer> {
  const text = await readKeyText(context, path)
  const { isKeyFile, privateKeySigner } = await import('#keys/index.ts')
  if (!isKeyFile(text)) {
    throw failure('USAGE', `${path} is not an encrypted private key`, {
      hint: `Encrypt it with \`sealift key import ${path}\`, or make one with \`sealift key generate\`.`,
    })
  }
  return privateKeySigner(await unlock(context, text, path, flags))
}

/** The private key in the text of an encrypted file. */
export async function unlock(
  context: Context,
  text: string,
  path: string,
  flags: PasswordFlags,
  variables?: readonly string[],
): Promise<KeyObject> {
  const { openKeyFile } = await import('#keys/index.ts')
  const password = await readPassword(context, flags, { of: path, ...(variables && { variables }) })
  return await openKeyFile(text, password)
}

/** @throws LOCATION_INVALID where it is too large for a key, FILE_SYSTEM */
export async function readKeyText(context: Context, path: string): Promise<string> {
  return Buffer.from(await readWhole(resolve(context.cwd, path), limits.keyBytes)).toString()
}
