import { basename, join } from 'node:path'
import { parseDocument } from 'yaml'
import { type FileSystem, limits, nodeFileSystem, replaceFile } from '#base/index.ts'
import { parsePublicKey, publicKeyPem } from '#keys/index.ts'
import { type InitTerms, initBroker } from '../init-broker.ts'
import { configurationName, readBrokerConfiguration } from '../open-broker.ts'
import { readFileIn } from '../open-keyring.ts'
import type { ImportPlan } from './plan-import.ts'

/**
 * A new broker with what a plan takes over: configuration, access rules and the keys of admins. Policies and resources
 * are put in afterwards by whoever administers it, so that the log has them.
 *
 * @returns the files that were written
 * @throws as `initBroker`; FILE_SYSTEM and KEY_FILE_INVALID for an admin's key; BROKER_CONFIGURATION_INVALID
 */
export async function importBroker(
  directory: string,
  { admins, members, issuer, listen }: ImportPlan,
  terms: InitTerms,
): Promise<readonly string[]> {
  const { fs = nodeFileSystem } = terms
  const keys = await Promise.all(
    admins.map(async ({ principal, publicKey: path }, at) => {
      const key = parsePublicKey(await readFileIn('/', path, limits.errorBytes, fs))
      const file = `admin-${at + 1}-${basename(path).replace(/[^A-Za-z0-9._-]/g, '_')}`
      return { principal, file, pem: publicKeyPem(key) }
    }),
  )
  const written = await initBroker(directory, {
    ...terms,
    ...(issuer !== undefined && { issuer }),
    ...(listen !== undefined && { listen }),
  })
  for (const { file, pem } of keys) await replaceFile(fs, join(directory, file), Buffer.from(pem))
  await edit(fs, directory, 'access.yaml', (document) => {
    for (const { principal } of keys) document.addIn(['grants', 0, 'to'], principal)
  })
  await edit(fs, directory, configurationName, (document) => {
    for (const { principal, file } of keys)
      document.addIn(['admin', 'keys'], { principal, publicKey: file, kbsClient: true })
    for (const { path, value } of members) document.setIn(path, document.createNode(value))
  })
  await readBrokerConfiguration(directory, fs)
  return [...written, ...keys.map(({ file }) => file)]
}

/** Comments stay. */
async function edit(
  fs: FileSystem,
  directory: string,
  name: string,
  change: (document: ReturnType<typeof parseDocument>) => void,
): Promise<void> {
  const bytes = await readFileIn(directory, name, limits.accessRulesBytes, fs)
  const document = parseDocument(Buffer.from(bytes).toString())
  change(document)
  await replaceFile(fs, join(directory, name), Buffer.from(document.toString({ lineWidth: 0 })))
}
