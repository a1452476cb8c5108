import { type AdmissionLimits, admissionLimits } from '#base/index.ts'

/** One replacement in an object (RFC 6902). */
export interface Replacement {
  readonly op: 'replace'
  readonly path: string
  readonly value: string
}

/** What is said about a review, before it is put in Kubernetes' words. */
export interface Answer {
  readonly allowed: boolean
  /** For the metrics and the log: one word. */
  readonly outcome: string
  /** A line for each thing that is to be known; for a denial at least one. */
  readonly lines: readonly string[]
  /** 403 where the policy says no; 400, 413, 500, 504 where no answer could be had. */
  readonly code?: number
  readonly reason?: string
  readonly warnings?: readonly string[]
  /** Under `sealift.dev/` in the audit event: the API server puts the webhook's name before the key. */
  readonly audit?: Readonly<Record<string, string>>
  readonly patch?: readonly Replacement[]
}

/** An AdmissionReview with its response (admission.k8s.io/v1), as JSON can be made of it. */
export function reviewAnswer(uid: string, answer: Answer, limits: AdmissionLimits = admissionLimits) {
  const { allowed, lines, code, reason, warnings, audit, patch } = answer
  const message = clip(lines.join('\n'), limits.messageLength)
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: {
      uid,
      allowed,
      ...(!allowed && {
        status: {
          apiVersion: 'v1',
          kind: 'Status',
          metadata: {},
          status: 'Failure',
          message,
          reason: reason ?? 'Forbidden',
          code: code ?? 403,
        },
      }),
      // The API server cuts warnings off at 120 characters, more than 4096 in all are dropped.
      ...(warnings &&
        warnings.length > 0 && { warnings: warnings.slice(0, 16).map((line) => clip(line, 250)) }),
      ...(audit && { auditAnnotations: audit }),
      ...(patch &&
        patch.length > 0 && {
          patchType: 'JSONPatch',
          patch: Buffer.from(JSON.stringify(patch)).toString('base64'),
        }),
    },
  }
}

const clip = (text: string, longest: number) =>
  text.length > longest ? `${text.slice(0, longest - 1)}…` : text
