import { randomBytes } from 'node:crypto'
import {
  type AppraisalEvaluation,
  appraise,
  challengeFor,
  type EvidenceVerifiers,
  earClaims,
  formatChallenge,
  formatTokenResponse,
  type NamedPolicy,
  type ProtocolVersion,
  parseAttestationRequest,
  parseAuthRequest,
  referenceMember,
  verifyAttestation,
} from '#attestation/index.ts'
import { attestationLimits } from '#base/index.ts'
import type { EvaluationGate } from '#gate/index.ts'
import { failure } from '../codes.ts'
import type { PolicyBook } from '../policies/types.ts'
import type { ReferenceBook } from '../references/types.ts'
import type { Session, SessionStore } from '../sessions/types.ts'
import type { TokenKeys } from '../token-keys/types.ts'
import type { IdentityOf } from '../types.ts'
import { guestPrincipal } from './guest-principal.ts'
import { type Guest, guestOf } from './tokens.ts'

export interface HandshakeParts {
  readonly verifiers: EvidenceVerifiers
  readonly protocols: readonly ProtocolVersion[]
  readonly allowRsa15: boolean
  readonly issuer: string
  readonly tokenSeconds: number
  readonly sessionSeconds: number
  readonly sessions: SessionStore
  readonly tokenKeys: TokenKeys
  readonly policies: PolicyBook
  readonly references: ReferenceBook
  readonly gate: EvaluationGate
  readonly identity: IdentityOf
  /** Of this software: `ear.verifier-id`. */
  readonly build: string
}

/** What one step of the handshake gives. */
export interface Step {
  readonly body: Uint8Array
  /** The session that the guest is to name from now on. */
  readonly session: Session
  readonly entry?: number
  /** The guest, where it was found good in this very step: its token need not be read back. */
  readonly guest?: Guest
}

/** The attestation handshake: request, challenge, attestation, response. Nothing stays here between two steps. */
export class Handshake {
  readonly #parts: HandshakeParts

  constructor(parts: HandshakeParts) {
    this.#parts = parts
  }

  /** A new session with a nonce of its own. @throws the codes of `problems` */
  async auth(body: Uint8Array, at: Date, signal: AbortSignal): Promise<Step> {
    const { protocols, verifiers, sessions, sessionSeconds } = this.#parts
    const { version, tee } = parseAuthRequest(body)
    if (!protocols.includes(version))
      throw failure('BROKER_PROTOCOL_OFF', `protocol ${version} is not switched on`)
    if (!verifiers.has(tee)) throw failure('BROKER_TEE_OFF', `evidence of ${tee} is not switched on`)
    const challenge = challengeFor(tee)
    const session: Session = {
      id: randomBytes(16).toString('hex'),
      version,
      tee,
      nonce: challenge.nonce,
      expires: new Date(at.getTime() + sessionSeconds * 1000),
    }
    await sessions.create(session, at, signal)
    return { body: formatChallenge(challenge), session }
  }

  /**
   * A token for good evidence. Whoever asks again in an attested session gets the token that is there, whatever they
   * send: as Trustee does, so that an answer that was lost on the way can be had again.
   *
   * @throws the codes of `problems`
   */
  async attest(session: Session, body: Uint8Array, at: Date, signal: AbortSignal): Promise<Step> {
    if (session.token !== undefined) return { body: formatTokenResponse(session.token), session }
    const { verifiers, allowRsa15, references, policies, tokenKeys, sessions } = this.#parts
    const request = parseAttestationRequest(body, session.version)
    const verified = await verifyAttestation(request, { ...session, allowRsa15 }, verifiers, new Map(), at)
    const [values, policyFor, signer] = await Promise.all([
      references.values(signal),
      policiesFor(policies, new Set(verified.tees.map((tee) => tee.class)), signal),
      tokenKeys.signer(at),
    ])
    const evaluated: AppraisalEvaluation[] = []
    let guest: Guest | undefined
    let token = ''
    try {
      const onEvaluated = (one: AppraisalEvaluation) => evaluated.push(one)
      const appraisals = appraise(verified, policyFor, values, at, { onEvaluated })
      const { issuer, build, tokenSeconds: validSeconds } = this.#parts
      const claims = earClaims(
        appraisals,
        { issuer, build, developer: 'https://sealift.dev', validSeconds },
        at,
      )
      token = signer.sign(claims)
      if (token.length > attestationLimits.tokenLength)
        throw failure('BROKER_TOKEN_TOO_LONG', `the token would have ${token.length} characters`)
      guest = guestOf(claims as unknown as Guest['claims'], verified.teeKey)
    } finally {
      // A policy that came to nothing is written down as well, and what no token can be made of.
      if (!guest) await this.#record(evaluated, undefined, at, signal)
    }
    const entry = await this.#record(evaluated, guest, at, signal)
    const attested = await sessions.attest(session.id, token, at, signal)
    if (!attested)
      throw failure('BROKER_SESSION_UNKNOWN', 'the session ended while its evidence was verified')
    return {
      body: formatTokenResponse(attested.token ?? token),
      session: attested,
      ...(entry !== undefined && { entry }),
      ...(attested.token === token && { guest }),
    }
  }

  async #record(
    evaluated: readonly AppraisalEvaluation[],
    guest: Guest | undefined,
    at: Date,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    if (evaluated.length === 0) return undefined
    const principal = guestPrincipal(this.#parts.identity, guest)
    return this.#parts.gate.record(
      evaluated.map(({ policyId, policy, input, decision }) => ({
        evaluation: {
          purpose: 'appraisal' as const,
          principal,
          resource: `attestation/${policyId}`,
          policyName: `attestation/${policyId}`,
          policy,
          input,
          shared: [referenceMember],
        },
        decision,
        at,
      })),
      signal,
    )
  }
}

/** The policies in force for the classes of TEEs in one attestation: Trustee's ids, `default_cpu`, `default_gpu`. */
async function policiesFor(
  policies: PolicyBook,
  classes: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<(teeClass: string) => NamedPolicy | undefined> {
  const found = new Map<string, NamedPolicy>()
  for (const name of classes) {
    const active = await policies.active(`attestation/default_${name}`, signal)
    if (active) found.set(name, { id: 'default', policy: active.policy })
  }
  return (name) => found.get(name)
}
