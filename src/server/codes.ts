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
  BROKER_TARGET_INVALID: {
    meaning:
      'The path of a request to the key broker is not one: empty names, dots, hidden slashes, too long.',
    remedy: 'Ask for /kbs/v0/CALL/..., with every name percent-encoded by itself.',
  },
  BROKER_QUERY_INVALID: {
    meaning: 'The query of a request to the key broker cannot be read, or has too many parameters.',
    remedy: 'Write NAME=VALUE joined by &, percent-encoded UTF-8.',
  },
  BROKER_METHOD_REFUSED: {
    meaning: 'The key broker does not answer this method of HTTP.',
    remedy: 'Use GET, POST, PUT or DELETE.',
  },
  BROKER_BODY_TOO_LARGE: {
    meaning: 'The body of a request to the key broker is over its limit.',
    remedy: 'Send less, or raise `limits.bodyBytes`.',
  },
  BROKER_BODY_BROKEN: {
    meaning: 'The body of a request to the key broker ended before it was whole.',
    remedy: 'Try again; look at what lies between the client and the broker.',
  },
  BROKER_BODY_SLOW: {
    meaning: 'The body of a request to the key broker did not come in time.',
    remedy: 'Look at the network; raise `limits.requestSeconds` if it is this slow.',
  },
  BROKER_TIMEOUT: {
    meaning: 'The key broker had no answer in time.',
    remedy: 'Look at how fast its stores answer; raise `limits.requestSeconds` if they must be this slow.',
  },
  BROKER_BUSY: {
    meaning: 'The key broker has as many requests in work as it bears.',
    remedy: 'Try again; run more replicas, or raise `limits.concurrent`.',
  },
  BROKER_BODIES_EXCEEDED: {
    meaning: 'The bodies of all requests that the key broker has in work are larger than it bears.',
    remedy: 'Try again; look at who sends so much, or raise `limits.bodiesBytes`.',
  },
  BROKER_STOPPING: {
    meaning: 'The key broker stops, and gave up what was still in work.',
    remedy: 'Ask another replica, or again once it is back.',
  },
  BROKER_RATE_EXCEEDED: {
    meaning: 'A peer asks the key broker more often than it may.',
    remedy:
      'Wait as long as Retry-After says; raise `limits.requestsPerSecond` where many guests share an address.',
  },
  BROKER_LOGINS_EXCEEDED: {
    meaning: "Too many requests of a peer to the admins' listener did not prove who sent them.",
    remedy: 'Wait as long as Retry-After says, and look at which client uses a wrong key.',
  },
  BROKER_ADMIN_UNKNOWN: {
    meaning: "A request to the admins' listener does not prove who sent it.",
    remedy: 'The log says why; check the key, the audience, the clock, and the certificate.',
  },
  BROKER_ADMIN_UNPROTECTED: {
    meaning: "The admins' listener is to speak plain HTTP on an address that others reach.",
    remedy: 'Give `admin.tls`, or listen on 127.0.0.1 or [::1].',
  },
  BROKER_ADMIN_KEYS_INVALID: {
    meaning: "A key, a JWK set or an authority of the admins' listener cannot be used.",
    remedy: 'Correct what the message names; docs/broker.md has every member of `admin`.',
  },
  BROKER_CERTIFICATE_ENDED: {
    meaning: "`broker check` found a listener's certificate that does not count at this time.",
    remedy: 'Put a new certificate in its place: a running broker takes it within ten seconds.',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
