import { resolve } from 'node:path'
import { limits } from '#base/index.ts'
import { fetchTufRoot, type StoredRoot } from '#trust/index.ts'
import { failure } from '../codes.ts'
import type { TrustRootUpdateFlags } from '../commands/trust-root-update.ts'
import type { Context } from '../context.ts'
import { readWhole } from '../files.ts'
import { rootStore } from '../gate/stored-trust.ts'
import { rootFacts, rootLines } from '../root-facts.ts'
import { openSession } from '../session.ts'
import { print } from '../shell/print.ts'

export async function run(this: Context, flags: TrustRootUpdateFlags, name = 'default'): Promise<void> {
  await using session = await openSession(this, flags)
  const { settings, signal } = session
  const given =
    flags.root === undefined
      ? undefined
      : Buffer.from(await readWhole(resolve(this.cwd, flags.root), limits.manifestBytes)).toString()
  const change = async (before: StoredRoot | undefined): Promise<StoredRoot> => {
    const last = before?.origin.kind === 'tuf' && !flags.replace ? before.origin : undefined
    // A root that is here goes on from where it is: another root.json would undo what is known of it.
    const metadata = last?.metadata ?? (given === undefined ? undefined : { 'root.json': given })
    const mirror = flags.mirror ?? last?.mirror
    if (metadata === undefined || mirror === undefined) {
      throw failure('USAGE', `the trusted root ${name} was never updated by TUF here`, {
        hint: 'Say where it is and what to begin with: --mirror URL --root root.json.',
      })
    }
    const target = flags.target
    const update = { mirror, metadata, signal, ...(target !== undefined && { target }) }
    const { root, version, ...fetched } = await fetchTufRoot(update)
    const issuers = flags.issuer ?? before?.issuers
    return {
      name,
      root,
      ...(issuers && { issuers }),
      origin: { kind: 'tuf', version, ...fetched },
      fetchedAt: new Date().toISOString(),
      updateKeys: before?.updateKeys ?? [],
    }
  }
  const stored = await rootStore(this, settings).update(name, change, { signal, mayGoBack: flags.replace })
  const facts = rootFacts(stored, new Date())
  print(this, session.format, facts, () => rootLines(facts))
}
