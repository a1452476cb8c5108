import { generateKeyPair } from '#keys/index.ts'
import { failure } from '../codes.ts'
import type { KeyGenerateFlags } from '../commands/key-generate.ts'
import type { Context } from '../context.ts'
import { newKeyNames, writeKeyFiles } from '../key-files.ts'
import { openSession } from '../session.ts'
import { print } from '../shell/print.ts'

export async function run(this: Context, flags: KeyGenerateFlags): Promise<void> {
  const { type, rsaBits, out } = flags
  if (rsaBits !== undefined && type !== 'rsa') throw failure('USAGE', '--rsa-bits is for --type rsa')
  await using session = await openSession(this, flags)
  const names = await newKeyNames(this, out)
  const { privateKey } = await generateKeyPair(type, rsaBits)
  const made = await writeKeyFiles(this, names, privateKey, flags)
  print(this, session.format, made, () =>
    [`${made.algorithm} ${made.id}`, `wrote ${made.keyFile} and ${made.publicKeyFile}`].join('\n'),
  )
}
