import type { KeyObject } from 'node:crypto'
import { type LeaseLimits, leaseLimits } from '#base/index.ts'
import { generateKeyPair, privateKeySigner } from '#keys/index.ts'
import type { Network } from '../leases/index.ts'
import { Remembered } from '../remembered.ts'
import type { SecretStore } from '../types.ts'
import { createNebulaAuthority, type NebulaAuthority } from './authority.ts'
import { formatAuthorities, type KeptAuthority, parseAuthorities } from './authority-record.ts'
import {
  type AuthorityPhase,
  issuesFrom,
  issuingAt,
  needsNext,
  type Periods,
  phaseAt,
  skewMs,
  trustEnd,
  trustedAt,
  withNext,
} from './authority-schedule.ts'
import type { NebulaCertificate, NebulaVersion } from './certificate.ts'
import { failure } from './codes.ts'
import type { NebulaCurve } from './node-key.ts'
import { possessionKey } from './possession.ts'
import { nebulaSigningKeyPem } from './signing-key.ts'

export interface AuthoritiesTerms extends Periods {
  /** Keeps keys: a sealed one. */
  readonly store: SecretStore
  readonly key: string
  readonly name: string
  readonly version: NebulaVersion
  readonly curve: NebulaCurve
  /** What each may issue. */
  readonly networks: readonly Network[]
  readonly authorityMs: number
  readonly refreshMs: number
  readonly limits?: LeaseLimits
}

/** Those that count at a moment. */
export interface AuthoritySet {
  readonly issuing: NebulaAuthority
  readonly trusted: readonly NebulaCertificate[]
  /** With which nodes on CURVE25519 show that they have their keys: that of the issuing one first, where it has one. */
  readonly possession: readonly KeyObject[]
}

/** What is told of an authority: nothing of its key. */
export interface AuthorityDescription {
  readonly fingerprint: string
  readonly certificate: NebulaCertificate
  readonly phase: AuthorityPhase
  readonly announced: Date
  /** When it began or begins to issue. */
  readonly issues: Date
  /** Until when what it issued can count. */
  readonly trustedUntil: Date
}

interface State {
  readonly kept: readonly KeptAuthority[]
  readonly revision: string
}

/**
 * The authorities in the broker's state: one record, which any number of replicas change by compare-and-set. The first
 * is made by whoever asks first, and so is each next one when the time of the one before it runs out.
 */
export class NebulaAuthorities {
  readonly #terms: AuthoritiesTerms
  readonly #limits: LeaseLimits
  readonly #state: Remembered<State | undefined>
  #last: State | undefined

  constructor(terms: AuthoritiesTerms) {
    this.#terms = terms
    this.#limits = terms.limits ?? leaseLimits
    this.#state = new Remembered(() => this.#read(), terms.refreshMs)
  }

  /** @throws NEBULA_STATE_INVALID, NEBULA_BUSY, and what the store does */
  async at(at: Date, signal?: AbortSignal): Promise<AuthoritySet> {
    const kept = await this.#current(at.getTime(), signal)
    const issuing = issuingAt(kept, at.getTime())
    const trusted = trustedAt(kept, at.getTime())
    return {
      issuing: issuing.authority,
      trusted: trusted.map(({ authority }) => authority.certificate),
      possession: [issuing, ...trusted.filter((one) => one !== issuing)].flatMap(
        ({ possession = [] }) => possession,
      ),
    }
  }

  /** In the order in which they issue, with those that ended lately. */
  async list(at: Date, signal?: AbortSignal): Promise<readonly AuthorityDescription[]> {
    const kept = await this.#current(at.getTime(), signal)
    return kept.map(({ authority: { fingerprint, certificate }, announced, issues }, index) => ({
      fingerprint,
      certificate,
      phase: phaseAt(kept, index, at.getTime()),
      announced: new Date(announced),
      issues: new Date(issues),
      trustedUntil: new Date(trustEnd(kept, index)),
    }))
  }

  /**
   * Makes the next: trusted at once, and issuing once nodes had time to fetch it.
   * @throws NEBULA_ROTATION_PENDING where one is announced already
   */
  async rotate(at: Date, signal?: AbortSignal): Promise<void> {
    await this.#current(at.getTime(), signal)
    await this.#change(signal, async (kept) => {
      if (kept.some((_, index) => phaseAt(kept, index, at.getTime()) === 'announced'))
        throw failure('NEBULA_ROTATION_PENDING', 'an authority is announced that does not issue yet')
      const all = await this.#next(kept, at.getTime())
      if (all) return all
      const most = this.#limits.authorities
      throw failure('NEBULA_ROTATION_PENDING', `${most} authorities are trusted already, which is the most`)
    })
  }

  /**
   * Trusts an authority no longer, from now on. Where it was the one that issues, another does at once: one that is
   * announced, or a new one.
   * @throws NEBULA_AUTHORITY_NOT_FOUND
   */
  async remove(fingerprint: string, at: Date, signal?: AbortSignal): Promise<void> {
    const moment = at.getTime()
    await this.#current(moment, signal)
    await this.#change(signal, async (kept) => {
      const gone = kept.find(({ authority }) => authority.fingerprint === fingerprint)
      if (!gone) throw failure('NEBULA_AUTHORITY_NOT_FOUND', 'there is no authority of this fingerprint')
      const rest = kept.filter((one) => one !== gone)
      if (gone !== issuingAt(kept, moment)) return rest
      const announced = rest.find(({ issues }) => issues > moment)
      const next = announced ? { ...announced, issues: moment } : await this.#make(moment, moment)
      return [...rest.filter((one) => one !== announced), next].sort((a, b) => a.issues - b.issues)
    })
  }

  /** As they are, made fit for this moment where they are not. */
  async #current(at: number, signal?: AbortSignal): Promise<readonly KeptAuthority[]> {
    const state = await this.#state.get()
    if (state && !this.#lacks(state.kept, at)) return state.kept
    return await this.#change(signal, async (kept) => {
      if (kept.length === 0) return [await this.#make(at, at)]
      const { longestMs } = this.#terms
      const issuing = issuingAt(kept, at)
      // Said before anything is issued for so long: who trusts it afterwards goes by this.
      const told = kept.map((one) =>
        one === issuing && one.longestMs < longestMs ? { ...one, longestMs } : one,
      )
      if (!needsNext(told, at, this.#terms)) return told
      // Where there is no room for another, those that are there serve on.
      return (await this.#next(told, at)) ?? told
    })
  }

  #lacks(kept: readonly KeptAuthority[], at: number): boolean {
    return issuingAt(kept, at).longestMs < this.#terms.longestMs || needsNext(kept, at, this.#terms)
  }

  async #next(kept: readonly KeptAuthority[], at: number): Promise<readonly KeptAuthority[] | undefined> {
    const next = await this.#make(at, issuesFrom(kept, at, this.#terms))
    return withNext(kept, next, at, this.#limits.authorities)
  }

  async #make(at: number, issues: number): Promise<KeptAuthority> {
    const { name, version, curve, networks, authorityMs, longestMs } = this.#terms
    const { privateKey } = await generateKeyPair(curve === 'P256' ? 'ecdsa-p256' : 'ed25519')
    const authority = await createNebulaAuthority({
      version,
      name,
      networks,
      notBefore: new Date(at - skewMs),
      notAfter: new Date(at + authorityMs),
      signer: privateKeySigner(privateKey),
    })
    return {
      authority,
      key: await nebulaSigningKeyPem(privateKey),
      ...(curve === 'CURVE25519' && { possession: possessionKey(privateKey) }),
      announced: at,
      issues,
      longestMs,
    }
  }

  /** Changes the record where nobody was faster, else looks at it again. What needs no change is not written. */
  async #change(
    signal: AbortSignal | undefined,
    change: (kept: readonly KeptAuthority[]) => Promise<readonly KeptAuthority[]> | readonly KeptAuthority[],
  ): Promise<readonly KeptAuthority[]> {
    const { store, key } = this.#terms
    try {
      for (let attempt = 0; attempt < this.#limits.attempts; attempt++) {
        signal?.throwIfAborted()
        const state = await this.#read()
        const before = state?.kept ?? []
        const after = await change(before)
        const isSame = after.length === before.length && after.every((one, index) => one === before[index])
        if (isSame) return before
        if (await store.compareAndSet(key, state?.revision, formatAuthorities(after), signal)) return after
      }
    } finally {
      this.#state.forget()
    }
    throw failure('NEBULA_BUSY', 'others kept changing the Nebula authorities')
  }

  /** Keys are parsed again only where the record is another. */
  async #read(): Promise<State | undefined> {
    const { store, key } = this.#terms
    const stored = await store.read(key)
    if (!stored) return undefined
    if (this.#last?.revision === stored.revision) return this.#last
    this.#last = { kept: await parseAuthorities(stored.value, this.#limits), revision: stored.revision }
    return this.#last
  }
}
