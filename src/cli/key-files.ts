import type { KeyObject } from 'node:crypto'
import { resolve } from 'node:path'
import { nodeFileSystem } from '#base/index.ts'
import { type PublicKey, publicKeyHint, publicKeyOf, publicKeyPem, sealKeyFile } from '#keys/index.ts'
import { failure } from './codes.ts'
import type { Context } from './context.ts'
import { writeNew } from './files.ts'
import type { PasswordFlags } from './flags.ts'
import { readPassword } from './password.ts'
import { tell } from './shell/print.ts'

/** What outputs tell of a key: nothing secret. */
export const keyFacts = (key: PublicKey) => ({
  algorithm: key.algorithm,
  id: key.id,
  hint: publicKeyHint(key),
})

/** The two names of a key, which must both be free. @throws FILE_EXISTS, FILE_SYSTEM */
export async function newKeyNames(context: Context, prefix: string) {
  const names = { keyFile: `${prefix}.key`, publicKeyFile: `${prefix}.pub` }
  for (const name of Object.values(names)) {
    if (await nodeFileSystem.stat(resolve(context.cwd, name))) {
      throw failure('FILE_EXISTS', `${name} is there already`)
    }
  }
  return names
}

/** Asks for the password and writes both files. @throws FILE_EXISTS, FILE_SYSTEM, and the codes of `readPassword` */
export async function writeKeyFiles(
  context: Context,
  names: Awaited<ReturnType<typeof newKeyNames>>,
  privateKey: KeyObject,
  flags: PasswordFlags,
) {
  const { keyFile, publicKeyFile } = names
  const password = await readPassword(context, flags, { of: keyFile, confirm: true })
  if (password === '')
    tell(context, `note: the password of ${keyFile} is empty: who has the file has the key`)
  const key = publicKeyOf(privateKey)
  const sealed = await sealKeyFile(privateKey, password)
  await writeNew(resolve(context.cwd, keyFile), Buffer.from(sealed))
  await writeNew(resolve(context.cwd, publicKeyFile), Buffer.from(publicKeyPem(key)), 0o644)
  return { ...names, ...keyFacts(key) }
}
