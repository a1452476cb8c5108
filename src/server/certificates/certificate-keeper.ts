import { X509Certificate } from 'node:crypto'
import type { AdmissionLog } from '../http/admission-log.ts'
import type { Clock } from '../types.ts'
import {
  type BundlePublisher,
  bundleOf,
  type CertificateMaker,
  type CertificateState,
  type CertificateStore,
  type CertifiedKey,
} from './certificate-state.ts'

export interface CertificateKeeperOptions {
  readonly store: CertificateStore
  readonly maker: CertificateMaker
  /** Without one somebody else has to tell the API servers whom to trust. */
  readonly publisher?: BundlePublisher
  readonly hostnames: readonly string[]
  readonly addresses: readonly string[]
  /** How long a serving certificate and an authority are good, in milliseconds. */
  readonly certificateMs: number
  readonly authorityMs: number
  readonly log: AdmissionLog
  /** Told whenever there is another serving certificate. */
  readonly onChange: (serving: CertifiedKey) => void
  readonly now?: Clock
}

/** Clocks of others may be behind by so much. */
const skewMs = 5 * 60_000
/** Times that somebody else may be faster before it is given up, until the next round. */
const attempts = 5

/**
 * Keeps a serving certificate good: makes an authority, issues, tells the API servers, and does each again when a
 * third of its life is left. A new authority is told of at least one round before it issues, and the old one stays
 * trusted until it ends, so there is no moment in which an API server meets a certificate that it does not trust.
 * Several replicas share one state; whoever comes first writes it.
 */
export class CertificateKeeper implements Disposable {
  readonly #options: CertificateKeeperOptions
  readonly #now: Clock
  #state: CertificateState | undefined
  /** The newest authority that the API servers were told of before this round. */
  #published: string | undefined
  #timer: NodeJS.Timeout | undefined
  #round: Promise<void> = Promise.resolve()

  constructor(options: CertificateKeeperOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
  }

  get serving(): CertifiedKey | undefined {
    return this.#state?.serving
  }

  /** PEM of all authorities to be trusted. */
  get bundle(): string {
    return this.#state === undefined ? '' : bundleOf(this.#state)
  }

  /** When the serving certificate ends. */
  get until(): Date | undefined {
    return this.serving && endOf(this.serving.certificate)
  }

  /** Does the first round, and goes on. @throws where no certificate could be had at all */
  async start(): Promise<void> {
    await this.round()
    const { certificateMs } = this.#options
    const every = Math.min(30_000, Math.max(500, certificateMs / 12))
    this.#timer = setInterval(() => {
      this.round().catch((error: unknown) => this.#tell('error', 'failed', String(error)))
    }, every)
    this.#timer.unref()
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  /** Looks after everything once; rounds never overlap. */
  round(): Promise<void> {
    const next = this.#round.then(() => this.#look())
    this.#round = next.catch(() => undefined)
    return next
  }

  async #look(): Promise<void> {
    const withAuthority = await this.#agree((state) => this.#withAuthority(state))
    this.#adopt(withAuthority)
    const known = this.#published
    const isTold = await this.#publish(withAuthority)
    const isWaiting = known !== withAuthority.authority.certificate && this.#isUsable(withAuthority)
    if (isTold && !isWaiting) this.#adopt(await this.#agree((state) => this.#withServing(state)))
    if (!this.serving) throw new Error('there is no certificate to serve with')
  }

  /** The state as all replicas have it, changed where `change` gives another one. */
  async #agree(
    change: (state: CertificateState | undefined) => Promise<CertificateState | undefined>,
  ): Promise<CertificateState> {
    const { store } = this.#options
    for (let attempt = 0; attempt < attempts; attempt++) {
      const { state, version } = await store.load()
      const next = await change(state)
      if (next === undefined) return state as CertificateState
      if (await store.save(next, version)) return next
    }
    throw new Error('others change the kept certificates all the time')
  }

  async #withAuthority(state: CertificateState | undefined): Promise<CertificateState | undefined> {
    const { maker, authorityMs } = this.#options
    const now = this.#now()
    const previous = (state?.previous ?? []).filter((pem) => endOf(pem).getTime() > now)
    const isDue = state === undefined || endOf(state.authority.certificate).getTime() - authorityMs / 3 <= now
    if (!isDue) return previous.length === state.previous.length ? undefined : { ...state, previous }
    const validity = { from: new Date(now - skewMs), until: new Date(now + authorityMs) }
    const authority = await maker.authority(validity)
    this.#tell('info', 'authority', undefined, authority.certificate)
    if (state === undefined) return { authority, previous: [] }
    const isAlive = endOf(state.authority.certificate).getTime() > now
    return { ...state, authority, previous: isAlive ? [state.authority.certificate, ...previous] : previous }
  }

  async #withServing(state: CertificateState | undefined): Promise<CertificateState | undefined> {
    if (state === undefined) return undefined
    if (this.#isUsable(state) && this.#lifeLeft(state) > this.#options.certificateMs / 3) return undefined
    const { maker, certificateMs, hostnames, addresses } = this.#options
    const now = this.#now()
    const authorityEnd = endOf(state.authority.certificate).getTime()
    const validity = {
      from: new Date(now - skewMs),
      until: new Date(Math.min(now + certificateMs, authorityEnd)),
    }
    const serving = await maker.serving(state.authority, validity, { hostnames, addresses })
    this.#tell('info', 'issued', undefined, serving.certificate)
    return { ...state, serving }
  }

  #lifeLeft({ serving }: CertificateState): number {
    return serving === undefined ? 0 : endOf(serving.certificate).getTime() - this.#now()
  }

  /** Whether an API server would take the serving certificate: it lasts, has all the names and a trusted issuer. */
  #isUsable(state: CertificateState): boolean {
    const { serving, authority, previous } = state
    if (serving === undefined || this.#lifeLeft(state) <= 0) return false
    const certificate = new X509Certificate(serving.certificate)
    const isNamed = this.#options.hostnames.every((name) => certificate.checkHost(name) !== undefined)
    const isAddressed = this.#options.addresses.every((address) => certificate.checkIP(address) !== undefined)
    const isIssued = [authority.certificate, ...previous].some((pem) =>
      certificate.verify(new X509Certificate(pem).publicKey),
    )
    return isNamed && isAddressed && isIssued
  }

  async #publish(state: CertificateState): Promise<boolean> {
    const { publisher } = this.#options
    try {
      await publisher?.publish(bundleOf(state))
    } catch (error) {
      this.#tell('error', 'failed', `the bundle could not be told to the API server: ${String(error)}`)
      // A server that has a certificate goes on with it; one that has none gets one, to be found once it is told of.
      return this.serving === undefined
    }
    this.#published = state.authority.certificate
    return true
  }

  #adopt(state: CertificateState): void {
    const before = this.serving?.certificate
    this.#state = state
    if (state.serving && state.serving.certificate !== before) this.#options.onChange(state.serving)
  }

  #tell(level: 'info' | 'error', what: string, message?: string, certificate?: string): void {
    this.#options.log({
      event: 'certificate',
      level,
      what,
      ...(message !== undefined && { message }),
      ...(certificate !== undefined && { until: endOf(certificate).toISOString() }),
    })
  }
}

const endOf = (pem: string): Date => new X509Certificate(pem).validToDate
