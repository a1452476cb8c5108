import { resolve } from 'node:path'
import { rotateMasterKey } from '#broker/index.ts'
import { jsonIn, openBrokerAdmin } from '../broker/admin.ts'
import { failure } from '../codes.ts'
import type {
  BrokerRotateFlags,
  BrokerRotateMasterFlags,
  BrokerRotatePkiFlags,
  BrokerRotateTokenFlags,
} from '../commands/broker-rotate.ts'
import type { Context } from '../context.ts'
import { openSession } from '../session.ts'
import { count, print, table } from '../shell/print.ts'

export async function master(this: Context, flags: BrokerRotateMasterFlags): Promise<void> {
  await using session = await openSession(this, flags)
  const place = flags.broker ?? session.settings.broker
  if (place === undefined || /^https?:\/\//.test(place))
    throw failure('USAGE', 'master keys are rotated where they lie: name the folder of the broker (--broker)')
  if (flags.prepare && flags.dropOld) throw failure('USAGE', '--prepare and --drop-old do not go together')
  const rotated = await rotateMasterKey(resolve(this.cwd, place), {
    prepare: flags.prepare,
    dropOld: flags.dropOld,
    signal: session.signal,
  })
  const { activeId, keys, dropped, stores } = rotated
  print(this, session.format, rotated, () =>
    [
      ...(stores.length > 0
        ? [
            table(
              ['STORE', 'SEALED ANEW', 'WERE ALREADY', 'REFUSED'],
              stores.map(({ store, resealed, current, refused }) => [
                store,
                String(resealed),
                String(current),
                String(refused.length),
              ]),
            ),
          ]
        : []),
      ...stores.flatMap(({ store, refused }) => refused.map(({ key, code }) => `${store}: ${key}: ${code}`)),
      `the key ${activeId} seals; ${count(keys, 'key')} in the keyring${dropped > 0 ? `, ${dropped} dropped` : ''}`,
    ].join('\n'),
  )
  if (stores.some(({ refused }) => refused.length > 0))
    throw failure('BROKER_UNSOUND', 'some values could not be sealed anew: the old keys stay', {
      hint: 'Restore or remove the values that are named above, and rotate again with --drop-old.',
    })
}

export async function token(this: Context, flags: BrokerRotateTokenFlags): Promise<void> {
  const action = flags.distrust ? 'replace' : 'rotate'
  const { answer, format } = await ask<{ keys: { kid: string }[] }>(this, flags, ['token-keys', action])
  const told = { keys: answer.keys.map(({ kid }) => kid) }
  print(this, format, told, () => ['keys that tokens are checked with:', ...told.keys].join('\n'))
}

interface NebulaAuthority {
  readonly fingerprint: string
  readonly name: string
  readonly phase: string
  readonly issues: string
  readonly trustedUntil: string
}

export async function nebula(this: Context, flags: BrokerRotateFlags): Promise<void> {
  const { answer, format } = await ask<{ authorities: NebulaAuthority[] }>(this, flags, ['nebula', 'rotate'])
  const told = answer.authorities.map(({ fingerprint, name, phase, issues, trustedUntil }) => ({
    fingerprint,
    name,
    phase,
    issues,
    trustedUntil,
  }))
  print(this, format, told, () =>
    table(
      ['AUTHORITY', 'PHASE', 'ISSUES FROM', 'TRUSTED UNTIL'],
      told.map(({ fingerprint, phase, issues, trustedUntil }) => [
        fingerprint.slice(0, 16),
        phase,
        issues,
        trustedUntil,
      ]),
    ),
  )
}

interface PkiAuthority {
  readonly id: string
  readonly issues: boolean
  readonly notAfter: string
  readonly trustedUntil: string
}

export async function pki(this: Context, flags: BrokerRotatePkiFlags): Promise<void> {
  const { root, distrust } = flags
  const { answer, format } = await ask<{ roots: PkiAuthority[]; intermediates: PkiAuthority[] }>(
    this,
    flags,
    ['pki', 'rotate'],
    { root, distrust },
  )
  const toTell =
    (kind: 'root' | 'intermediate') =>
    ({ id, issues, notAfter, trustedUntil }: PkiAuthority) => ({ kind, id, issues, notAfter, trustedUntil })
  const told = [...answer.roots.map(toTell('root')), ...answer.intermediates.map(toTell('intermediate'))]
  print(this, format, told, () =>
    table(
      ['AUTHORITY', 'ID', 'ISSUES', 'TRUSTED UNTIL'],
      told.map(({ kind, id, issues, trustedUntil }) => [kind, id, issues ? 'yes' : 'no', trustedUntil]),
    ),
  )
}

async function ask<T>(context: Context, flags: BrokerRotateFlags, path: readonly string[], said?: object) {
  await using session = await openSession(context, flags)
  await using broker = await openBrokerAdmin(context, session, flags)
  const body = said && { body: Buffer.from(JSON.stringify(said)) }
  const reply = await broker.ask({ api: 'admin', method: 'POST', path, ...body })
  return { answer: jsonIn<T>(reply), format: session.format }
}
