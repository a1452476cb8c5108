import { resolve } from 'node:path'
import { type Json, limits, parseJson } from '#base/index.ts'
import {
  formatStatement,
  legacyAttestation,
  ProofCargo,
  parsePredicate,
  sealStatement,
} from '#trust/index.ts'
import { failure } from '../codes.ts'
import type { AttestFlags } from '../commands/attest.ts'
import type { Context } from '../context.ts'
import { readWhole } from '../files.ts'
import { onePlace, writeProofs } from '../proof-places.ts'
import { openSession } from '../session.ts'
import { print } from '../shell/print.ts'
import { openSigningMeans } from '../signing-means.ts'

export async function run(this: Context, flags: AttestFlags, text: string): Promise<void> {
  await using session = await openSession(this, flags)
  const { signal } = session
  // What is to be said is read first: whoever is asked for a password should not be asked in vain.
  const file = await readWhole(resolve(this.cwd, flags.predicate), limits.predicateBytes)
  const schema = flags.schema === undefined ? {} : { schema: await readSchema(this, flags.schema) }
  const { type, predicate } = await parsePredicate(flags.type, file, schema)
  const opened = await session.open(await session.location(text))
  const place = await onePlace(session, opened, text)
  const { subject, repository, reference } = place
  const means = await openSigningMeans(this, flags)
  const about = { digest: subject.digest, ...(repository !== undefined && { name: repository }) }
  const sealed = await sealStatement(formatStatement([about], type, predicate), means, { signal })
  const cargo = new ProofCargo()
  const carrier = await cargo.addBundle(subject, sealed.bundle, { predicateType: type, created: new Date() })
  const legacy =
    (flags.legacy ?? session.settings.legacySignatures)
      ? await cargo.addLegacyAttestation(subject, legacyAttestation(sealed, type), place.source, { signal })
      : undefined
  await writeProofs(session, opened, [{ repository, cargo }])
  const facts = {
    location: text,
    ...(reference !== undefined && { reference }),
    digest: subject.digest,
    predicateType: type,
    bundle: carrier.digest,
    ...(legacy && { legacy: legacy.digest }),
  }
  print(this, session.format, facts, () => `attested ${subject.digest}\n${type}\nwrote ${carrier.digest}`)
}

/** @throws USAGE */
async function readSchema(context: Context, path: string): Promise<Json> {
  const bytes = await readWhole(resolve(context.cwd, path), limits.manifestBytes)
  try {
    return parseJson(bytes, { maxBytes: limits.manifestBytes })
  } catch (cause) {
    throw failure('USAGE', `${path} is no JSON schema: ${(cause as Error).message}`, { cause })
  }
}
