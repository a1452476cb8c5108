import { createPrivateKey } from 'node:crypto'
import {
  formatJwkSet,
  parseJwkSet,
  type TokenSigner,
  type TokenTrust,
  tokenSigner,
} from '#attestation/index.ts'
import { brokerLimits } from '#base/index.ts'
import { Remembered } from '../remembered.ts'
import type { SecretStore, Stored } from '../types.ts'
import { failure } from './codes.ts'
import {
  derOf,
  firstRecord,
  formatKeyRecord,
  type KeyRecord,
  mostKeys,
  newEntry,
  parseKeyRecord,
} from './key-record.ts'
import type { TokenKeys } from './types.ts'

export interface TokenKeysOptions {
  /** `iss` of the tokens that count. */
  readonly issuer: string
  /** So long a key is announced before it signs: the time in which readers of the JWK set read it anew. */
  readonly announceMs?: number
  /** So long a token lasts: a key that signs no more counts for that time. */
  readonly tokenMs?: number
  /** A change by another replica is seen within. */
  readonly refreshMs?: number
  /** Tokens of others that count here too, each under its own issuer. */
  readonly others?: NonNullable<TokenTrust['others']>
  readonly now?: () => Date
}

/** The record, opened. */
interface Opened {
  readonly revision: string
  readonly entries: readonly { readonly signer: TokenSigner; readonly signsFrom: number }[]
  readonly certificates: string
}

const place = 'token-keys/keys'
/** What clocks of replicas may differ by. */
const clockMs = 60_000

/**
 * The keys of tokens in a broker's state; the first is made where there is none, by one of all replicas.
 *
 * @param store the sealed state
 * @throws TOKEN_KEYS_INVALID, TOKEN_KEYS_BUSY, and what the store does
 */
export async function openTokenKeys(store: SecretStore, options: TokenKeysOptions): Promise<TokenKeys> {
  const {
    issuer,
    announceMs = 300_000,
    tokenMs = brokerLimits.tokenSeconds * 1000,
    refreshMs = 1000,
    others = [],
    now = () => new Date(),
  } = options
  let latest: Opened | undefined
  const remembered = new Remembered(async () => {
    const stored = await readOrMake(store, now())
    latest = latest?.revision === stored.revision ? latest : opened(stored)
    stored.value.fill(0)
    return latest
  }, refreshMs)
  await remembered.get()
  let trusted: { readonly of: string; readonly trust: TokenTrust } | undefined

  /** All whose tokens can still be good, and the next one; oldest first. */
  const counting = <T extends { readonly signsFrom: number }>(entries: readonly T[], at: Date): T[] =>
    entries.filter((_, index) => {
      const next = entries[index + 1]
      return !next || next.signsFrom + tokenMs + clockMs > at.getTime()
    })

  const write = async (revision: string, record: KeyRecord, signal?: AbortSignal) => {
    const bytes = formatKeyRecord(record)
    const written = await store.compareAndSet(place, revision, bytes, signal)
    bytes.fill(0)
    remembered.forget()
    if (written === undefined) throw failure('TOKEN_KEYS_BUSY', 'somebody else changed the keys just now')
  }

  return {
    async signer(at) {
      const { entries } = await remembered.get()
      const current = entries.findLast(({ signsFrom }) => signsFrom <= at.getTime())
      // A clock behind that of whoever made the first key.
      return (current ?? entries[0]!).signer
    },
    async trust(at) {
      const signers = counting((await remembered.get()).entries, at).map(({ signer }) => signer)
      const of = signers.map(({ kid }) => kid).join(' ')
      if (trusted?.of !== of) {
        const keys = parseJwkSet(formatJwkSet(signers))
        trusted = { of, trust: { keys, issuer, ...(others.length > 0 && { others }) } }
      }
      return trusted.trust
    },
    async jwkSet(at) {
      return formatJwkSet(counting((await remembered.get()).entries, at).map(({ signer }) => signer))
    },
    async certificates() {
      return (await remembered.get()).certificates
    },
    async rotate(at, signal) {
      const { revision, value } = await readOrMake(store, at)
      const record = parseKeyRecord(value)
      value.fill(0)
      // The only key signs already, whatever the clock says by which it was made.
      const signsFrom = record.keys[1] ? record.keys.at(-1)!.signsFrom : Number.NEGATIVE_INFINITY
      // One that signs later than any that is announced now was made by a clock that ran ahead: it is not waited for.
      if (signsFrom > at.getTime() && signsFrom <= at.getTime() + announceMs)
        throw failure('TOKEN_KEYS_BUSY', `the next key signs from ${new Date(signsFrom).toISOString()} on`)
      // What nobody can have a token of any more goes.
      const keys = counting(record.keys, at)
      if (keys.length >= mostKeys)
        throw failure('TOKEN_KEYS_BUSY', `there are tokens of ${keys.length} keys that have not ended`)
      const next = await newEntry(record.root, at, at.getTime() + announceMs)
      await write(revision, { ...record, keys: [...keys, next] }, signal)
    },
    async replace(at, signal) {
      const { revision, value } = await readOrMake(store, at)
      value.fill(0)
      await write(revision, await firstRecord(at), signal)
    },
  }
}

async function readOrMake(store: SecretStore, at: Date): Promise<Stored> {
  const stored = await store.read(place)
  if (stored) return stored
  const bytes = formatKeyRecord(await firstRecord(at))
  await store.compareAndSet(place, undefined, bytes)
  bytes.fill(0)
  // Whoever was first made the one that counts.
  const made = await store.read(place)
  if (!made) throw failure('TOKEN_KEYS_BUSY', 'the keys of tokens were removed while they were made')
  return made
}

function opened({ revision, value }: Stored): Opened {
  const record = parseKeyRecord(value)
  try {
    const entries = record.keys.map(({ key, certificate, signsFrom }) => ({
      // Without the root: whoever checks the chain has it, and each token is the smaller.
      signer: tokenSigner(createPrivateKey(key), { chain: [derOf(certificate)] }),
      signsFrom,
    }))
    const certificates = [record.root.certificate, ...record.keys.map(({ certificate }) => certificate)]
    return { revision, entries, certificates: certificates.map(endLine).join('') }
  } catch {
    throw failure('TOKEN_KEYS_INVALID', 'a key of tokens, or its certificate, is damaged')
  }
}

const endLine = (pem: string) => (pem.endsWith('\n') ? pem : `${pem}\n`)
