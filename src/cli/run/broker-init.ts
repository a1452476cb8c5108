import { resolve } from 'node:path'
import { initBroker } from '#broker/index.ts'
import { makeBroker } from '../broker/make-broker.ts'
import type { BrokerInitFlags } from '../commands/broker-init.ts'
import type { Context } from '../context.ts'
import { openSession } from '../session.ts'
import { print } from '../shell/print.ts'

export async function run(this: Context, flags: BrokerInitFlags, folder: string): Promise<void> {
  await using session = await openSession(this, flags)
  const directory = resolve(this.cwd, folder)
  const { issuer, listen, adminListen } = flags
  const made = await makeBroker(this, flags, directory, (terms) =>
    initBroker(directory, {
      ...terms,
      ...(issuer !== undefined && { issuer }),
      ...(listen !== undefined && { listen }),
      ...(adminListen !== undefined && { adminListen }),
    }),
  )
  print(this, session.format, made, () =>
    [`a key broker in ${folder}, owned by ${made.owner}`, ...made.files.map((name) => `  ${name}`)].join(
      '\n',
    ),
  )
}
