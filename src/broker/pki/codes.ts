import { type CodeTable, failures } from '#base/index.ts'

export const codes = {
  PKI_CONFIGURATION_INVALID: {
    meaning:
      'The configuration of the PKI says something that cannot be done: a trust domain, profile or pattern.',
    remedy: 'Change the member of `pki` that the message names.',
  },
  PKI_REQUEST_INVALID: {
    meaning: 'A request to the PKI is malformed, or asks for a certificate that would mean nothing.',
    remedy:
      'Give profile, and dns, ip and hours as documented, with a certificate request (PKCS#10) for a POST.',
  },
  PKI_NAME_REFUSED: {
    meaning: 'A certificate was asked for with a name that its profile does not permit.',
    remedy: 'Ask for names that match the patterns of the profile, or have a pattern added.',
  },
  PKI_NAME_TAKEN: {
    meaning: 'A name belongs to another identity until the last certificate with it ends.',
    remedy: 'Wait for that end, revoke those certificates, or ask for another name.',
  },
  PKI_CALLER_REFUSED: {
    meaning:
      'A certificate was asked for by somebody without an attested identity, or by one that is barred.',
    remedy: 'Attest first; an admin can reinstate an identity that was revoked.',
  },
  PKI_TOO_MANY: {
    meaning: 'There are as many certificates, revocations or authorities at once as may be.',
    remedy: 'Wait until some have ended, or revoke those that nobody needs.',
  },
  PKI_NOT_FOUND: {
    meaning: 'There is no certificate of this serial number, no authority or nothing at this path.',
    remedy: 'Look at `pki/issued` and `pki/authorities` for what there is.',
  },
  PKI_BUSY: {
    meaning: 'Other replicas kept changing the same thing.',
    remedy: 'Ask again.',
  },
  PKI_STATE_INVALID: {
    meaning: 'A record of the PKI in the state of the broker is not what was written there.',
    remedy: 'Restore the state from a backup; the message names the key.',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
