import { isKeyFile, parsePrivateKey } from '#keys/index.ts'
import type { KeyImportFlags } from '../commands/key-import.ts'
import type { Context } from '../context.ts'
import { newKeyNames, writeKeyFiles } from '../key-files.ts'
import { readKeyText, unlock } from '../open-signer.ts'
import { openSession } from '../session.ts'
import { print } from '../shell/print.ts'

export async function run(this: Context, flags: KeyImportFlags, file: string): Promise<void> {
  await using session = await openSession(this, flags)
  const names = await newKeyNames(this, flags.out)
  const privateKey = await readPrivateKey(this, flags, file)
  const made = await writeKeyFiles(this, names, privateKey, flags)
  print(this, session.format, made, () =>
    [`${made.algorithm} ${made.id}`, `wrote ${made.keyFile} and ${made.publicKeyFile}`].join('\n'),
  )
}

async function readPrivateKey(context: Context, flags: KeyImportFlags, file: string) {
  const text = await readKeyText(context, file)
  if (!isKeyFile(text)) return parsePrivateKey(text)
  const { oldPasswordEnv: passwordEnv, oldPasswordFile: passwordFile } = flags
  const old = { ...(passwordEnv && { passwordEnv }), ...(passwordFile && { passwordFile }) }
  // The usual variables hold the new password: the old one is given by its own flags or typed.
  return await unlock(context, text, file, old, [])
}
