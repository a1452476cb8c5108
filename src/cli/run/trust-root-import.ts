import { basename, resolve } from 'node:path'
import { isFailure, type Json, limits, parseJson } from '#base/index.ts'
import { parsePublicKey, publicKeyPem } from '#keys/index.ts'
import {
  checkCarriedRoot,
  isCarriedRoot,
  readCarriedRoot,
  type StoredRoot,
  type TrustedKey,
  trustFailure,
} from '#trust/index.ts'
import { failure } from '../codes.ts'
import type { TrustRootImportFlags } from '../commands/trust-root-import.ts'
import type { Context } from '../context.ts'
import { readWhole } from '../files.ts'
import { rootStore } from '../gate/stored-trust.ts'
import { type ProofPlace, proofPlaces } from '../proof-places.ts'
import { rootFacts, rootLines } from '../root-facts.ts'
import { openSession, type Session } from '../session.ts'
import { print } from '../shell/print.ts'

export async function run(this: Context, flags: TrustRootImportFlags, text: string): Promise<void> {
  await using session = await openSession(this, flags)
  const keys = await Promise.all((flags.key ?? []).map((path) => readKey(this, path)))
  const root = await jsonFile(this, text)
  const stored =
    root === undefined
      ? await importUpdate(this, session, flags, keys, text)
      : await importFile(this, session, flags, keys, root)
  const facts = rootFacts(stored, new Date())
  print(this, session.format, facts, () => rootLines(facts))
}

async function readKey(context: Context, path: string): Promise<TrustedKey> {
  const key = parsePublicKey(await readWhole(resolve(context.cwd, path), limits.keyBytes))
  return { name: basename(path), pem: publicKeyPem(key) }
}

/** The JSON in a plain file; undefined for what is no such file: an archive, a layout. */
async function jsonFile(context: Context, text: string): Promise<Json | undefined> {
  if (/^[a-z-]+:/.test(text)) return undefined
  const bytes = await readWhole(resolve(context.cwd, text), limits.manifestBytes).catch((error: unknown) => {
    if (isFailure(error, 'FILE_SYSTEM') && error.detail.errno === 'ENOENT') throw error
    return undefined
  })
  // JSON text begins with a brace; archives begin with gzip's or tar's header.
  const first = bytes?.find((byte) => byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)
  return bytes && first === 0x7b ? parseJson(bytes, { maxBytes: limits.manifestBytes }) : undefined
}

async function importFile(
  context: Context,
  { settings, signal }: Session,
  flags: TrustRootImportFlags,
  keys: readonly TrustedKey[],
  root: Json,
): Promise<StoredRoot> {
  const name = flags.name ?? 'default'
  const fetchedAt = new Date().toISOString()
  const change = async (before: StoredRoot | undefined): Promise<StoredRoot> => ({
    name,
    root,
    ...issuersOf(flags, before),
    origin: { kind: 'file' },
    fetchedAt,
    updateKeys: withKeys(before, keys),
  })
  return rootStore(context, settings).update(name, change, { signal, mayGoBack: flags.replace })
}

/** A restriction that was said here stays; an update does not widen what a root may vouch for. */
const issuersOf = (
  flags: TrustRootImportFlags,
  before: StoredRoot | undefined,
  carried?: readonly string[],
) => {
  const issuers = flags.issuer ?? before?.issuers ?? carried
  return issuers === undefined ? {} : { issuers }
}

/** Each key once, though it is named again or in another file. */
function withKeys(before: StoredRoot | undefined, given: readonly TrustedKey[]): TrustedKey[] {
  const held = [...(before?.updateKeys ?? [])]
  for (const key of given) {
    if (held.some(({ pem }) => pem === key.pem)) continue
    const isTaken = held.some(({ name }) => name === key.name)
    held.push(isTaken ? { ...key, name: `${key.name}-${idOf(key.pem).slice(0, 12)}` } : key)
  }
  return held
}

const idOf = (pem: string): string => parsePublicKey(Buffer.from(pem)).id

async function importUpdate(
  context: Context,
  session: Session,
  flags: TrustRootImportFlags,
  keys: readonly TrustedKey[],
  text: string,
): Promise<StoredRoot> {
  const { settings, signal } = session
  const { subject, source } = await updateAt(session, text)
  const { carried, proofs } = await readCarriedRoot(source, subject, { signal })
  const { name, version, root } = carried
  if (flags.name !== undefined && flags.name !== name) {
    throw failure('USAGE', `the update is for the trusted root ${name}, not for ${flags.name}`)
  }
  const at = new Date()
  const change = async (before: StoredRoot | undefined): Promise<StoredRoot> => {
    const updateKeys = withKeys(before, keys)
    if (updateKeys.length === 0) {
      throw trustFailure('KEY_UNTRUSTED', `nobody is named whose updates of the trusted root ${name} count`, {
        hint: 'Name the public key of its sender with --key, if you trust it with this root.',
      })
    }
    const { keyId } = checkCarriedRoot(subject, proofs, updateKeys, at)
    const isKnown = before?.updateKeys.some(({ pem }) => idOf(pem) === keyId) ?? true
    // The update chooses its name: a key that is new here must not reach a root that was there before by chance.
    if (!isKnown && flags.name === undefined) {
      throw trustFailure('TRUST_ROOT_EXISTS', `this key did not update the trusted root ${name} before`, {
        hint: `Add --name ${name} if it may from now on.`,
      })
    }
    return {
      name,
      root,
      ...issuersOf(flags, before, carried.issuers),
      origin: { kind: 'carried', version, keyId },
      fetchedAt: at.toISOString(),
      updateKeys,
    }
  }
  return rootStore(context, settings).update(name, change, { signal, mayGoBack: flags.replace })
}

async function updateAt(session: Session, text: string): Promise<ProofPlace> {
  const opened = await session.open(await session.location(text))
  const { signal } = session
  const places: ProofPlace[] = []
  for (const place of await proofPlaces(session, opened)) {
    if (await isCarriedRoot(place.source, place.subject, { signal })) places.push(place)
  }
  const [place, more] = places
  if (!place) throw failure('LOCATION_INVALID', `there is no update of a trusted root at ${text}`)
  if (more) {
    throw failure('USAGE', `${text} holds ${places.length} updates of trusted roots; name one: LOCATION:TAG`)
  }
  return place
}
