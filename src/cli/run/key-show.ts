import { isKeyFile, parsePublicKey, publicKeyOf, publicKeyPem } from '#keys/index.ts'
import type { KeyShowFlags } from '../commands/key-show.ts'
import type { Context } from '../context.ts'
import { keyFacts } from '../key-files.ts'
import { readKeyText, unlock } from '../open-signer.ts'
import { openSession } from '../session.ts'
import { print } from '../shell/print.ts'

export async function run(this: Context, flags: KeyShowFlags, file: string): Promise<void> {
  await using session = await openSession(this, flags)
  const text = await readKeyText(this, file)
  const isPrivate = isKeyFile(text)
  const key = isPrivate ? publicKeyOf(await unlock(this, text, file, flags)) : parsePublicKey(text)
  const facts = keyFacts(key)
  const pem = publicKeyPem(key)
  print(this, session.format, { file, kind: isPrivate ? 'private' : 'public', ...facts, pem }, () =>
    [
      `algorithm  ${facts.algorithm}`,
      `id         ${facts.id}`,
      `hint       ${facts.hint}`,
      pem.trimEnd(),
    ].join('\n'),
  )
}
