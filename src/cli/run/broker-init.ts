import { join, resolve } from 'node:path'
import { formatPrincipal, parsePrincipal } from '#access/index.ts'
import { initBroker, readBrokerConfiguration } from '#broker/index.ts'
import { generateKeyPair, publicKeyOf, publicKeyPem, sealKeyFile } from '#keys/index.ts'
import type { BrokerInitFlags } from '../commands/broker-init.ts'
import type { Context } from '../context.ts'
import { writeNew } from '../files.ts'
import { thisUser } from '../gate/permits.ts'
import { readPassword } from '../password.ts'
import { openSession } from '../session.ts'
import { print, tell } from '../shell/print.ts'

export async function run(this: Context, flags: BrokerInitFlags, folder: string): Promise<void> {
  await using session = await openSession(this, flags)
  const directory = resolve(this.cwd, folder)
  const owner = formatPrincipal(flags.owner === undefined ? thisUser() : parsePrincipal(flags.owner))
  const keyFile = join(directory, 'admin.key')
  const password = await readPassword(this, flags, { of: keyFile, confirm: true })
  const { privateKey } = await generateKeyPair('ed25519')
  const { issuer, listen, adminListen, sample } = flags
  const files = await initBroker(directory, {
    owner,
    ownerPublicKey: publicKeyPem(publicKeyOf(privateKey)),
    withSample: sample,
    ...(issuer !== undefined && { issuer }),
    ...(listen !== undefined && { listen }),
    ...(adminListen !== undefined && { adminListen }),
  })
  await writeNew(keyFile, Buffer.from(await sealKeyFile(privateKey, password)))
  // What flags put into it is held against the schema now, not at the first start.
  await readBrokerConfiguration(directory)
  if (sample) tell(this, 'note: the sample TEE is taken, and proves nothing: anybody can make its evidence')
  const made = { directory, owner, files: [...files, 'admin.key'] }
  print(this, session.format, made, () =>
    [`a key broker in ${folder}, owned by ${owner}`, ...made.files.map((name) => `  ${name}`)].join('\n'),
  )
}
