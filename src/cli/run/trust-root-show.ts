import { trustFailure } from '#trust/index.ts'
import type { TrustRootShowFlags } from '../commands/trust-root-show.ts'
import type { Context } from '../context.ts'
import { rootDirectory, rootStore } from '../gate/stored-trust.ts'
import { rootFacts, rootLines } from '../root-facts.ts'
import { openSession } from '../session.ts'
import { print } from '../shell/print.ts'

export async function run(this: Context, flags: TrustRootShowFlags, name?: string): Promise<void> {
  await using session = await openSession(this, flags)
  const directory = rootDirectory(this, session.settings)
  const stored = await rootStore(this, session.settings).list()
  const wanted = stored.filter((one) => name === undefined || one.name === name)
  if (name !== undefined && wanted.length === 0) {
    throw trustFailure('TRUST_ROOT_NOT_FOUND', `no trusted root ${name} is kept in ${directory}`)
  }
  const at = new Date()
  const roots = wanted.map((one) => rootFacts(one, at))
  print(this, session.format, { directory, roots }, () =>
    roots.length === 0 ? `no trusted root is kept in ${directory}` : roots.map(rootLines).join('\n\n'),
  )
  const { maxAge } = flags
  if (maxAge === undefined) return
  if (roots.length === 0) {
    throw trustFailure('TRUST_ROOT_NOT_FOUND', `no trusted root is kept in ${directory}`)
  }
  const old = roots.filter(({ ageSeconds }) => ageSeconds > maxAge)
  if (old.length > 0) {
    const which = old.map((one) => `${one.name} (since ${one.fetchedAt})`).join(', ')
    throw trustFailure('TRUST_ROOT_STALE', `older than was allowed: ${which}`)
  }
}
