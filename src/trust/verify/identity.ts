import { type Certificate, oids } from './certificate.ts'
import { children, malformed, oidHex, parseDer, plainText, tags } from './der.ts'

/** Who a certificate speaks of, in Fulcio's terms. */
export interface CertificateIdentity {
  readonly identity: string
  readonly issuer: string
  readonly extensions: Readonly<Record<string, string>>
}

/** 1.3.6.1.4.1.57264.1: Fulcio's arc (fulcio docs/oid-info.md). */
const arc = '2b0601040183bf3001'

/** By the last number. The first six are raw text, the rest DER. */
const extensionNames: Readonly<Record<number, string>> = {
  2: 'githubWorkflowTrigger',
  3: 'githubWorkflowSHA',
  4: 'githubWorkflowName',
  5: 'githubWorkflowRepository',
  6: 'githubWorkflowRef',
  9: 'buildSignerURI',
  10: 'buildSignerDigest',
  11: 'runnerEnvironment',
  12: 'sourceRepositoryURI',
  13: 'sourceRepositoryDigest',
  14: 'sourceRepositoryRef',
  15: 'sourceRepositoryIdentifier',
  16: 'sourceRepositoryOwnerURI',
  17: 'sourceRepositoryOwnerIdentifier',
  18: 'buildConfigURI',
  19: 'buildConfigDigest',
  20: 'buildTrigger',
  21: 'runInvocationURI',
  22: 'sourceRepositoryVisibilityAtSigning',
  23: 'deploymentEnvironment',
}
const lastRaw = 6

/** @throws PROOF_MALFORMED */
export function identityIn(certificate: Certificate): CertificateIdentity {
  const extensions: Record<string, string> = {}
  for (const [number, name] of Object.entries(extensionNames)) {
    const value = textOf(certificate, Number(number))
    if (value !== undefined) extensions[name] = value
  }
  const issuer = textOf(certificate, 8) ?? textOf(certificate, 1) ?? ''
  return { identity: alternativeName(certificate), issuer, extensions }
}

function textOf(certificate: Certificate, number: number): string | undefined {
  const value = certificate.extensions.get(arc + number.toString(16).padStart(2, '0'))?.value
  if (!value) return undefined
  if (number <= lastRaw) return plainText(value, 'an extension of the certificate')
  const node = parseDer(value)
  if (node.tag !== tags.utf8String) throw malformed('an extension of the certificate is not text')
  return plainText(node.value, 'an extension of the certificate')
}

/** Exactly one name: of two, a policy could be shown the one and another reader believe the other. */
function alternativeName(certificate: Certificate): string {
  const extension = certificate.extensions.get(oids.subjectAltName)
  const [name, more] = extension ? children(parseDer(extension.value)) : []
  if (!name || more) throw malformed('the certificate does not name exactly one identity')
  // RFC 5280 section 4.2.1.6: [1] rfc822Name, [6] uniformResourceIdentifier, [0] otherName.
  if (name.tag === 0x81 || name.tag === 0x86) {
    // IA5String: what looks like another address must be one.
    if (name.value.some((byte) => byte >= 0x80)) throw malformed('the certificate’s identity is not ASCII')
    return plainText(name.value, 'the certificate’s identity')
  }
  const [type, value] = name.tag === 0xa0 ? children(name) : []
  if (!type || !value || oidHex(type) !== `${arc}07`)
    throw malformed('the certificate’s identity is neither address nor URI')
  const [text] = children(value)
  if (text?.tag !== tags.utf8String) throw malformed('the certificate’s identity is not text')
  return plainText(text.value, 'the certificate’s identity')
}
