import { resolve } from 'node:path'
import { limits, parseJson } from '#base/index.ts'
import { copyAll } from '#content/index.ts'
import { keySignatory, packRoot } from '#trust/index.ts'
import type { TrustRootPackFlags } from '../commands/trust-root-pack.ts'
import type { Context } from '../context.ts'
import { readWhole } from '../files.ts'
import { openSigner } from '../open-signer.ts'
import { openTarget } from '../open-target.ts'
import { openSession } from '../session.ts'
import { print } from '../shell/print.ts'

export async function run(this: Context, flags: TrustRootPackFlags, file: string): Promise<void> {
  await using session = await openSession(this, flags)
  const { signal } = session
  const { version, name = 'default', issuer, output } = flags
  const root = parseJson(await readWhole(resolve(this.cwd, file), limits.manifestBytes), {
    maxBytes: limits.manifestBytes,
  })
  const signer = await openSigner(this, flags.key, flags)
  const means = { signatory: keySignatory(signer), witnesses: [] }
  const carried = { name, version, root, ...(issuer && { issuers: issuer }) }
  const { manifest, passages, by } = await packRoot(carried, means, { signal })
  const named = { root: manifest, reference: `localhost/trust-root/${name}:v${version}` }
  await using target = await openTarget(await session.location(output), [named], session.registries)
  const place = target.placeOf(named)
  await copyAll(passages(place.target, place.tags), { signal, referrers: false })
  const facts = { name, version, digest: manifest.digest, output, keyId: by.key.id }
  print(this, session.format, facts, () =>
    [`wrote version ${version} of the trusted root ${name} to ${output}`, `signed ${manifest.digest}`].join(
      '\n',
    ),
  )
}
