import { resolve } from 'node:path'
import { type DatabaseTerms, initBroker } from '#broker/index.ts'
import { makeBroker } from '../broker/make-broker.ts'
import { failure } from '../codes.ts'
import type { BrokerInitFlags } from '../commands/broker-init.ts'
import type { Context } from '../context.ts'
import { hasPassword, isDatabase } from '../gate/audit-place.ts'
import { openSession } from '../session.ts'
import { print } from '../shell/print.ts'

export async function run(this: Context, flags: BrokerInitFlags, folder: string): Promise<void> {
  await using session = await openSession(this, flags)
  const directory = resolve(this.cwd, folder)
  const { issuer, listen, adminListen, postgres: url, postgresPasswordFile: passwordFile } = flags
  const database = databaseOf(this, url, passwordFile)
  const made = await makeBroker(this, flags, directory, (terms) =>
    initBroker(directory, {
      ...terms,
      ...(issuer !== undefined && { issuer }),
      ...(listen !== undefined && { listen }),
      ...(adminListen !== undefined && { adminListen }),
      ...(database && { database }),
    }),
  )
  print(this, session.format, made, () =>
    [`a key broker in ${folder}, owned by ${made.owner}`, ...made.files.map((name) => `  ${name}`)].join(
      '\n',
    ),
  )
}

/** @throws USAGE */
function databaseOf(
  context: Context,
  url: string | undefined,
  passwordFile: string | undefined,
): DatabaseTerms | undefined {
  if (url === undefined) {
    if (passwordFile !== undefined) throw failure('USAGE', '--postgres-password-file needs --postgres')
    return undefined
  }
  if (!isDatabase(url)) throw failure('USAGE', '--postgres takes postgres://USER@HOST/DATABASE')
  if (hasPassword(url))
    throw failure('USAGE', 'a password is no argument: write it to a file for --postgres-password-file')
  return { url, ...(passwordFile !== undefined && { passwordFile: resolve(context.cwd, passwordFile) }) }
}
