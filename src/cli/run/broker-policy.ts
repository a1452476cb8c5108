import { basename, resolve } from 'node:path'
import { policyLimits } from '#base/index.ts'
import type { PolicyVersion, TriedPolicy } from '#broker/index.ts'
import { type AdminCall, jsonIn, openBrokerAdmin } from '../broker/admin.ts'
import type {
  BrokerPolicyFlags,
  BrokerPolicyRollbackFlags,
  BrokerPolicyShowFlags,
} from '../commands/broker-policy.ts'
import type { Context } from '../context.ts'
import { readWhole } from '../files.ts'
import { openSession } from '../session.ts'
import { count, print, table } from '../shell/print.ts'

/** A version as the broker tells it. */
type Told = Omit<PolicyVersion, 'at'> & { readonly at: string }

export async function show(this: Context, flags: BrokerPolicyShowFlags, name?: string): Promise<void> {
  await using session = await openSession(this, flags)
  await using broker = await openBrokerAdmin(this, session, flags)
  const look = async <T>(path: string, query: AdminCall['query'] = {}): Promise<T> =>
    jsonIn(await broker.ask({ api: 'admin', method: 'GET', path: path.split('/'), query }))
  if (name === undefined) {
    const policies = await look<{ name: string; version: number; digest: string }[]>('policies')
    return print(this, session.format, policies, () =>
      table(
        ['POLICY', 'VERSION', 'DIGEST'],
        policies.map((policy) => [policy.name, String(policy.version), policy.digest]),
      ),
    )
  }
  const query = flags.version === undefined ? {} : { version: String(flags.version) }
  const policy = await look<Told>(`policies/${name}`, query)
  const versions = await look<Omit<Told, 'files'>[]>(`policies/${name}/versions`)
  print(this, session.format, { ...policy, versions }, () =>
    [
      ...policy.files.flatMap(({ path, text }) => [
        `# ${path}, version ${policy.version}`,
        text.trimEnd(),
        '',
      ]),
      table(
        ['VERSION', 'SET', 'BY', 'DIGEST'],
        versions.map(({ version, at, by, digest, rollbackOf }) => [
          rollbackOf === undefined ? String(version) : `${version} (again ${rollbackOf})`,
          at,
          by,
          digest,
        ]),
      ),
    ].join('\n'),
  )
}

export async function set(
  this: Context,
  flags: BrokerPolicyFlags,
  name = '',
  ...files: string[]
): Promise<void> {
  await using session = await openSession(this, flags)
  const body = await bodyOf(this, files)
  await using broker = await openBrokerAdmin(this, session, flags)
  const path = ['policies', ...name.split('/')]
  const added = jsonIn<Told>(await broker.ask({ api: 'admin', method: 'PUT', path, body }))
  inForce(this, session.format, added)
}

export async function tryOut(
  this: Context,
  flags: BrokerPolicyFlags,
  name = '',
  ...files: string[]
): Promise<void> {
  await using session = await openSession(this, flags)
  const body = await bodyOf(this, files)
  await using broker = await openBrokerAdmin(this, session, flags)
  const path = ['policies', ...name.split('/'), 'try']
  const tried = jsonIn<TriedPolicy>(await broker.ask({ api: 'admin', method: 'POST', path, body }))
  const { changes, newlyAllowed, newlyDenied, different, failed } = tried
  print(this, session.format, tried, () =>
    [
      ...changes.map(
        ({ entry, principal, resource, change, reasons }) =>
          `${change}  entry ${entry}: ${principal} ${resource}${reasons.length > 0 ? ` (${reasons.join('; ')})` : ''}`,
      ),
      `${count(tried.tried, 'request')} tried: ${tried.same} the same, ${newlyAllowed} newly allowed, ${newlyDenied} newly denied, ${different} different`,
      ...(failed > 0 ? [`the policy failed in ${failed} of them`] : []),
    ].join('\n'),
  )
}

export async function rollback(this: Context, flags: BrokerPolicyRollbackFlags, name: string): Promise<void> {
  await using session = await openSession(this, flags)
  await using broker = await openBrokerAdmin(this, session, flags)
  const path = ['policies', ...name.split('/'), 'rollback']
  const body = Buffer.from(JSON.stringify(flags.to === undefined ? {} : { to: flags.to }))
  const added = jsonIn<Told>(await broker.ask({ api: 'admin', method: 'POST', path, body }))
  inForce(this, session.format, added)
}

function inForce(context: Context, format: Parameters<typeof print>[1], added: Told): void {
  const { name, version, digest, rollbackOf } = added
  const told = { name, version, digest, ...(rollbackOf !== undefined && { rollbackOf }) }
  const again = rollbackOf === undefined ? '' : `, which is version ${rollbackOf} again`
  print(context, format, told, () => `${name}: version ${version} is in force${again}`)
}

async function bodyOf(context: Context, files: readonly string[]): Promise<Uint8Array> {
  const read = await Promise.all(
    files.map(async (file) => ({
      path: basename(file),
      text: Buffer.from(await readWhole(resolve(context.cwd, file), policyLimits.bytes)).toString(),
    })),
  )
  return Buffer.from(JSON.stringify({ files: read }))
}
