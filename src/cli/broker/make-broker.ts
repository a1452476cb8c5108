import { join } from 'node:path'
import { formatPrincipal, parsePrincipal } from '#access/index.ts'
import { type InitTerms, readBrokerConfiguration } from '#broker/index.ts'
import { generateKeyPair, publicKeyOf, publicKeyPem, sealKeyFile } from '#keys/index.ts'
import type { Context } from '../context.ts'
import { writeNew } from '../files.ts'
import type { PasswordFlags } from '../flags.ts'
import { thisUser } from '../gate/permits.ts'
import { readPassword } from '../password.ts'
import { tell } from '../shell/print.ts'

export interface MakeBrokerFlags extends PasswordFlags {
  readonly sample: boolean
  readonly owner?: string
}

/** A new broker in a folder, with an owner and a key of the owner's. @throws as `make` does; PASSWORD_MISSING */
export async function makeBroker(
  context: Context,
  flags: MakeBrokerFlags,
  directory: string,
  make: (terms: InitTerms) => Promise<readonly string[]>,
): Promise<{ readonly directory: string; readonly owner: string; readonly files: readonly string[] }> {
  const owner = formatPrincipal(flags.owner === undefined ? thisUser() : parsePrincipal(flags.owner))
  const keyFile = join(directory, 'admin.key')
  const password = await readPassword(context, flags, { of: keyFile, confirm: true })
  const { privateKey } = await generateKeyPair('ed25519')
  const ownerPublicKey = publicKeyPem(publicKeyOf(privateKey))
  const files = await make({ owner, ownerPublicKey, withSample: flags.sample })
  await writeNew(keyFile, Buffer.from(await sealKeyFile(privateKey, password)))
  // What flags put into it is held against the schema now, not at the first start.
  await readBrokerConfiguration(directory)
  if (flags.sample)
    tell(context, 'note: the sample TEE is taken, and proves nothing: anybody can make its evidence')
  return { directory, owner, files: [...files, 'admin.key'] }
}
