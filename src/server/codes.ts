import { type CodeTable, failures } from '#base/index.ts'

export const codes = {
  REVIEW_INVALID: {
    meaning:
      'What was sent to the admission webhook is not an AdmissionReview v1, or holds pods of another shape.',
    remedy: 'Only an API server should send to it; look at who else reaches its address.',
  },
  REVIEW_TOO_LARGE: {
    meaning: 'An AdmissionReview is over its limit: in bytes, or in containers.',
    remedy: 'Make the object smaller; no pod that runs is that large.',
  },
  REVIEW_TIMEOUT: {
    meaning: 'An admission review could not be answered in time, so it was denied.',
    remedy: 'Look at how fast the mirror answers; then try again: what was found is remembered.',
  },
  REVIEW_BUSY: {
    meaning: 'The admission webhook has more reviews in work than it bears.',
    remedy: 'Try again; run more replicas where it goes on.',
  },
  REVIEW_STRANGER: {
    meaning: 'Whoever sent a review showed no certificate that the webhook trusts.',
    remedy: "Let the API server show a client certificate (its admission configuration's kubeConfigFile).",
  },
  IMAGE_REFERENCE_INVALID: {
    meaning: 'A container names an image by something that is not a reference, or by nothing.',
    remedy: 'Write HOST/REPOSITORY:TAG or HOST/REPOSITORY@DIGEST.',
  },
  IMAGE_NOT_PINNED: {
    meaning:
      'An image is named by a tag alone when it is about to be admitted: a tag may name something else tomorrow.',
    remedy: 'Name it by digest, or install the mutating webhook, which does that.',
  },
  IMAGE_NOT_FOUND: {
    meaning: 'An image is not in the mirror, so nothing is known about it.',
    remedy: 'Bring it there (sealift relocate, sealift copy), or correct its name.',
  },
  MIRROR_UNAVAILABLE: {
    meaning: 'The mirror gave no answer about an image.',
    remedy: 'Look at the mirror; nothing is admitted that could not be looked up.',
  },
  ADMISSION_CONFIGURATION_INVALID: {
    meaning: 'The configuration of the admission webhook breaks its schema.',
    remedy: 'Correct the member that the message names; docs/admission.md lists all.',
  },
  KUBERNETES_API: {
    meaning: 'The Kubernetes API refused or did not answer.',
    remedy: 'Look at the kubeconfig or the service account, and at its role (sealift admission manifests).',
  },
  CERTIFICATE_STATE_INVALID: {
    meaning: 'The kept authority and certificate of the webhook cannot be read.',
    remedy: 'Delete the Secret or the state directory: a new authority is made and made known.',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
