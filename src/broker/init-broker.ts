import { randomBytes } from 'node:crypto'
import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { type FileSystem, nodeFileSystem } from '#base/index.ts'
import { failure } from './codes.ts'
import { configurationName } from './open-broker.ts'
import { openKeyring } from './open-keyring.ts'
import { StoredPolicies, starterPolicies } from './policies/index.ts'
import { openPlace } from './resource/index.ts'
import { formatKeyring, newKeyring, sealedStore } from './stores/index.ts'
import type { SecretStore } from './types.ts'

export interface InitTerms {
  /** The first owner: `user:ada`. */
  readonly owner: string
  /** Of the owner's key, PEM: with it the owner administers over the network. */
  readonly ownerPublicKey: string
  /** Takes evidence of the sample TEE, which anybody can make: for trying. */
  readonly withSample?: boolean
  readonly issuer?: string
  readonly listen?: string
  readonly adminListen?: string
  /** State, sessions, audit log and resources in PostgreSQL, for replicas; files beside the configuration without it. */
  readonly database?: DatabaseTerms
  readonly fs?: FileSystem
  readonly now?: () => Date
}

export interface DatabaseTerms {
  /** `postgres://USER@HOST/DATABASE` */
  readonly url: string
  /** A file whose first line is the password; relative to the directory. */
  readonly passwordFile?: string
}

/**
 * A new broker in a directory: configuration, keyring, access rules, and policies that deny. What is there already is
 * never written over; killed in between, what is missing can be seen, as the configuration comes last.
 *
 * @returns the files that were written
 * @throws BROKER_EXISTS, FILE_SYSTEM, SECRET_STORE_FAILED
 */
export async function initBroker(directory: string, terms: InitTerms): Promise<readonly string[]> {
  const { fs = nodeFileSystem, now = () => new Date() } = terms
  if (await fs.stat(join(directory, configurationName)))
    throw failure('BROKER_EXISTS', `there is a broker in ${directory} already`)
  await using stack = new AsyncDisposableStack()
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const place = statePlace(terms)
  // Before anything is written: a database that is not there, or is another broker's, leaves no half of a broker.
  const state = await openPlace(place, { directory, fs }, stack)
  if ((await state.list('', { limit: 1 })).length > 0)
    throw failure('BROKER_EXISTS', 'there is the state of a broker already')
  const keyFile = randomBytes(32)
  const keyring = await formatKeyring(newKeyring(), { kind: 'key-file', bytes: keyFile })
  const written = ['keyring.key', 'keyring.json', 'access.yaml', 'admin.pub', configurationName]
  await writeNew(join(directory, 'keyring.key'), keyFile)
  keyFile.fill(0)
  await writeNew(join(directory, 'keyring.json'), keyring)
  await writeNew(join(directory, 'access.yaml'), Buffer.from(accessOf(terms)))
  await writeNew(join(directory, 'admin.pub'), Buffer.from(terms.ownerPublicKey))
  await setPolicies(directory, state, terms.owner, now(), fs)
  await writeNew(join(directory, configurationName), Buffer.from(configurationOf(terms)))
  return written
}

const statePlace = ({ database }: InitTerms) =>
  database
    ? ({ kind: 'postgres', ...database, name: 'state' } as const)
    : ({ kind: 'sqlite', path: 'state.sqlite' } as const)

async function setPolicies(
  directory: string,
  state: SecretStore,
  owner: string,
  at: Date,
  fs: FileSystem,
): Promise<void> {
  const keyring = await openKeyring(directory, { file: 'keyring.json', keyFile: 'keyring.key' }, fs)
  const policies = new StoredPolicies(sealedStore(state, keyring, { name: 'state' }))
  for (const [name, files] of starterPolicies) await policies.set(name, files, owner, at)
}

/** For its owner alone: keys are among them. */
async function writeNew(path: string, bytes: Uint8Array): Promise<void> {
  await using file = await open(path, 'wx', 0o600)
  await file.writeFile(bytes)
  await file.sync()
}

const accessOf = ({
  owner,
}: InitTerms) => `# Who may administer what (docs/access.md). Repositories are those of resources,
# and broker/policies/..., broker/references, broker/leases, broker/nebula, broker/pki, broker/token-keys.
version: 1
grants:
  - role: owner
    to: ["${owner}"]
    repositories: ["**"]
`

const configurationOf = ({
  owner,
  withSample = false,
  issuer,
  listen,
  adminListen,
  database,
}: InitTerms) => `# The key broker (docs/broker.md has every member).
version: 1

# Who issues the tokens: an address under which other services know this broker.
issuer: ${issuer ?? 'https://broker.example'}

# Guests ask here, and admins there.
listen: ${listen ?? '127.0.0.1:8080'}
admin:
  listen: ${adminListen ?? '127.0.0.1:8081'}
  keys:
    - principal: ${JSON.stringify(owner)}
      publicKey: admin.pub

# Evidence that is verified. Nothing is believed by itself. The sample TEE proves nothing of its machine: anybody
# can make its evidence. It shows the way without hardware${withSample ? ', and is switched on here for trying.' : ': [sample].'}
tees: [${withSample ? 'sample' : ''}]

${database ? inDatabase(database) : inFiles}
access: access.yaml

# Where secrets lie: stores by name, and which request goes to which.
resources:
  stores:
    main:
      place: ${database ? placeOf(database, 'resources') : '{ kind: sqlite, path: secrets.sqlite }'}
  default: main

# An overlay network whose nodes get their names, addresses and certificates here:
# nebula:
#   name: overlay
#   pool: { range: 10.42.0.0/16 }

# Certificates for attested guests:
# pki:
#   trustDomain: broker.example
#   clientCertificates: true
`

const keyringLine = 'keyring: { file: keyring.json, keyFile: keyring.key }'

const inFiles = `# Policies, reference values, keys and leases; sealed under the keyring. Several replicas need PostgreSQL:
# \`sealift broker init DIR --postgres postgres://broker@database/broker\` makes a broker that has all of it there.
state: { kind: sqlite, path: state.sqlite }
${keyringLine}

# All that was decided, read and changed: \`sealift audit list --audit DIR/audit\`.
audit: { kind: files, path: audit }
`

const inDatabase = (
  database: DatabaseTerms,
) => `# Policies, reference values, keys and leases; sealed under the keyring. All replicas have the same database and keyring.
state: ${placeOf(database, 'state')}
${keyringLine}
sessions: { kind: postgres }

# All that was decided, read and changed, in the database of \`state\`: \`sealift audit list --audit postgres://...\`.
audit: { kind: postgres }
`

/** As YAML, of which JSON is a form. @param name of the store in the database's table */
const placeOf = ({ url, passwordFile }: DatabaseTerms, name: string): string =>
  `{ kind: postgres, url: ${JSON.stringify(url)}, ${passwordFile === undefined ? '' : `passwordFile: ${JSON.stringify(passwordFile)}, `}name: ${name} }`
