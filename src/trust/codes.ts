import { type CodeTable, failures } from '#base/index.ts'
import { codes as keysCodes } from '#keys/index.ts'
import { codes as logCodes } from '#log/index.ts'

export const codes = {
  SIGNATURE_ABSENT: {
    meaning: 'Nothing that was found is signed by anybody who is trusted for this content.',
    remedy: 'Ask its publisher to sign it, or name the key or identity that did.',
  },
  SUBJECT_MISMATCH: {
    meaning: 'A good signature, but over another content than the one in question.',
    remedy: 'Fetch the signature that belongs to this digest; somebody may have moved it here on purpose.',
  },
  SUBJECT_BYTES_NEEDED: {
    meaning:
      'This kind of signature can be checked only over the bytes themselves, and only a digest was given.',
    remedy: 'Give the file in place of its digest.',
  },
  KEY_UNTRUSTED: {
    meaning: 'The signature was made with a key that is not among the trusted ones.',
    remedy: 'Name the key if you trust it; otherwise the content is not from whom you expect.',
  },
  KEY_EXPIRED: {
    meaning: 'The signature was made after the time until which its key is trusted.',
    remedy: 'Ask the publisher to sign with the current key.',
  },
  KEY_NOT_YET_VALID: {
    meaning: 'The signature was made before the time from which its key is trusted.',
    remedy: 'Check the time of this machine and the time that the key was given.',
  },
  IDENTITY_MISMATCH: {
    meaning:
      'A good signature, but by another identity or vouched for by another issuer than the one asked for.',
    remedy: 'Compare the identity in the message with the expected one, character for character.',
  },
  IDENTITY_PATTERN_INVALID: {
    meaning: 'A pattern for identities or issuers is not a regular expression in RE2 syntax, or is too long.',
    remedy: 'Correct the pattern; it has to match the whole identity, so no ^ or $ are needed.',
  },
  CERTIFICATE_EXPIRED: {
    meaning: 'The signature was made after the end of its certificate, or of an authority above it.',
    remedy: 'Ask the publisher to sign again: a keyless certificate is good for minutes only.',
  },
  CERTIFICATE_NOT_YET_VALID: {
    meaning: 'The signature was made before the beginning of its certificate, or of an authority above it.',
    remedy: 'Treat it as forged, or the clock of the log or time-stamp authority as wrong.',
  },
  CERTIFICATE_UNTRUSTED: {
    meaning: 'The certificate was issued by no trusted authority, or is not fit for signing code.',
    remedy: 'Import the trusted root of the publisher’s authority with `sealift trust-root import`.',
  },
  CERTIFICATE_NOT_LOGGED: {
    meaning: 'The certificate carries no good proof that a certificate-transparency log holds it.',
    remedy: 'Ask the publisher to sign again, or import the trusted root that knows this log.',
  },
  NOT_IN_LOG: {
    meaning: 'No log that is trusted holds the signature, and the trusted root asks for one.',
    remedy: 'Ask the publisher to sign with a transparency log, or import the trusted root that knows it.',
  },
  TIMESTAMP_INVALID: {
    meaning: 'The time stamp over the signature is wrong, or speaks of another signature.',
    remedy: 'Treat the signature as tampered with, and fetch it again from its publisher.',
  },
  NO_TRUSTED_TIME: {
    meaning:
      'Nothing trusted says when the signature was made, so its short-lived certificate proves nothing.',
    remedy: 'Sign with a log or a time-stamp authority, and import the trusted root that knows it.',
  },
  REVOKED: {
    meaning: 'The key, certificate or signature was revoked.',
    remedy: 'Ask the publisher for content signed with a key that still counts.',
  },
  PROOF_MALFORMED: {
    meaning: 'A signature, certificate, time stamp or log entry does not keep to its format.',
    remedy: 'Fetch it again; if it stays so, ask its publisher which tool wrote it.',
  },
  PROOF_TOO_LARGE: {
    meaning: 'A signature or attestation, or a part of it, is larger than its limit.',
    remedy: 'Nothing of the kind is ever that large: treat it as damaged or hostile.',
  },
  PROOF_TOO_MANY: {
    meaning: 'More signatures and attestations travel with one content than are looked at.',
    remedy: 'Remove the ones that nobody needs from the repository.',
  },
  PROOF_UNREADABLE: {
    meaning: 'A signature or attestation is listed, but it is not there or its bytes are damaged.',
    remedy: 'Copy the content again from where it came, with its signatures.',
  },
  PREDICATE_INVALID: {
    meaning: 'The statement that was signed is not an in-toto statement as its specification asks for.',
    remedy: 'Ask its publisher which tool wrote it.',
  },
  TRUST_MATERIAL_INVALID: {
    meaning: 'A trusted key, its times or the list of what was revoked does not keep to its format.',
    remedy: 'Correct the key or time that the message names.',
  },
  TRUST_ROOT_INVALID: {
    meaning: 'A file is not a Sigstore trusted root, or something in it is wrong.',
    remedy: 'Fetch it again from whoever runs the signing service.',
  },
  TRUST_ROOT_NAME_INVALID: {
    meaning:
      'A trusted root is kept under a name of lower-case letters, digits, dots, dashes and underscores.',
    remedy: 'Give it such a name with --name, of at most 64 characters.',
  },
  TRUST_ROOT_NOT_FOUND: {
    meaning: 'No trusted root is kept here under this name.',
    remedy: 'See `sealift trust-root show`, and bring one in with `sealift trust-root import`.',
  },
  TRUST_ROOT_EXISTS: {
    meaning:
      'A trusted root of this name is kept up to date in another way, which must not be cut short by chance.',
    remedy: 'Give the new one another --name, or follow the hint to put it in place on purpose.',
  },
  TRUST_ROOT_ROLLED_BACK: {
    meaning:
      'An update of a trusted root is older than what is here, or of the same version with another content.',
    remedy: 'Ask its sender for the current one; an older one may bring back what was taken out as unsafe.',
  },
  TRUST_ROOT_EXPIRED: {
    meaning:
      'The metadata of the repository of trusted roots has run out, so nobody vouches for it any more.',
    remedy: 'Check the clock of this machine, then ask whoever runs the repository or mirror to renew it.',
  },
  TRUST_ROOT_STALE: {
    meaning: 'A trusted root came here longer ago than was allowed.',
    remedy:
      'Fetch a new one with `sealift trust-root update`, or carry one over with `sealift trust-root pack`.',
  },
  TRUST_ROOT_UPDATE_INVALID: {
    meaning:
      'An update of a trusted root does not keep to its format, or is not signed as its repository asks for.',
    remedy: 'Fetch it again; if it stays so, treat the mirror or the carrier as tampered with.',
  },
  TRUST_STORE_DAMAGED: {
    meaning: 'What is kept of a trusted root on this machine cannot be read.',
    remedy: 'Remove the file that the message names and import the root again.',
  },
  TRUST_STORE_BUSY: {
    meaning: 'Another process is changing the trusted roots of this machine.',
    remedy: 'Wait until it is done, and try again.',
  },
  SIGNING_SERVICE_UNREACHABLE: {
    meaning: 'A certificate authority, log or time-stamp authority did not answer.',
    remedy: 'Check its URL and the way to it, and sign again; nothing was written.',
  },
  SIGNING_SERVICE_REFUSED: {
    meaning: 'A certificate authority, log or time-stamp authority answered with a refusal.',
    remedy:
      'Read what it said; with an authority, see that the identity token is fresh and its issuer known.',
  },
  SIGNING_SERVICE_ANSWER_INVALID: {
    meaning:
      'What a certificate authority, log or time-stamp authority answered is not what the protocol says.',
    remedy: 'Check that the URL is that of such a service, and of the version that was named.',
  },
  SIGNING_URL_INVALID: {
    meaning: 'The URL of a signing service is malformed, or leads over plain HTTP to another machine.',
    remedy: 'Write https://HOST/; plain HTTP is for this machine alone.',
  },
  SIGNING_CONFIG_INVALID: {
    meaning:
      'A file is not a Sigstore signing configuration (v0.2), or it names no service that can be used now.',
    remedy: 'Fetch it again from whoever runs the signing service, or name the services by their URLs.',
  },
  SIGNING_UNSUPPORTED: {
    meaning: 'This kind of key, log and form of signature do not go together.',
    remedy: 'Choose another key, leave the log out, or write bundles only.',
  },
  IDENTITY_TOKEN_INVALID: {
    meaning: 'The OIDC token that says who signs cannot be read, or names nobody.',
    remedy: 'Ask the issuer for a fresh token, meant for Sigstore (audience "sigstore").',
  },
} as const satisfies CodeTable

// What these mean is the same wherever it is found.
const { SIGNATURE_INVALID } = keysCodes
const { LOG_PROOF_INVALID } = logCodes

export const failure = failures({ ...codes, SIGNATURE_INVALID, LOG_PROOF_INVALID })
