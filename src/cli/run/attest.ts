import { resolve } from 'node:path'
import { type Json, limits, parseJson } from '#base/index.ts'
import { parsePredicate } from '#trust/index.ts'
import { attachStatement, placeToSign } from '../attach-statement.ts'
import { failure } from '../codes.ts'
import type { AttestFlags } from '../commands/attest.ts'
import type { Context } from '../context.ts'
import { readWhole } from '../files.ts'
import { openSession } from '../session.ts'
import { print } from '../shell/print.ts'
import { openSigningMeans } from '../signing-means.ts'

export async function run(this: Context, flags: AttestFlags, text: string): Promise<void> {
  await using session = await openSession(this, flags)
  // What is to be said is read first: whoever is asked for a password should not be asked in vain.
  const file = await readWhole(resolve(this.cwd, flags.predicate), limits.predicateBytes)
  const schema = flags.schema === undefined ? {} : { schema: await readSchema(this, flags.schema) }
  const { type, predicate } = await parsePredicate(flags.type, file, schema)
  const opened = await session.open(await session.location(text))
  const place = await placeToSign(this, session, opened, text)
  const { subject, reference } = place
  const means = await openSigningMeans(this, flags)
  const legacy = flags.legacy ?? session.settings.legacySignatures ?? false
  const written = await attachStatement(
    session,
    opened,
    place,
    { predicateType: type, predicate, legacy },
    means,
  )
  const facts = {
    location: text,
    ...(reference !== undefined && { reference }),
    digest: subject.digest,
    predicateType: type,
    ...written,
  }
  print(this, session.format, facts, () => `attested ${subject.digest}\n${type}\nwrote ${written.bundle}`)
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
