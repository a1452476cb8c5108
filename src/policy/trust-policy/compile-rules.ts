import type { Json } from '#base/index.ts'
import type { ClauseDocument, RuleDocument, SignerDocument, TrustPolicyDocument } from './schema.ts'

/** Names of predicate types, as cosign has them too, with the types that they mean. */
export const predicateTypes: Readonly<Record<string, readonly string[]>> = {
  slsaprovenance: ['https://slsa.dev/provenance/v0.2', 'https://slsa.dev/provenance/v1'],
  slsaprovenance02: ['https://slsa.dev/provenance/v0.2'],
  slsaprovenance1: ['https://slsa.dev/provenance/v1'],
  cyclonedx: ['https://cyclonedx.org/bom'],
  spdx: ['https://spdx.dev/Document'],
  vuln: ['https://cosign.sigstore.dev/attestation/vuln/v1', 'https://in-toto.io/attestation/vulns/v0.1'],
  openvex: ['https://openvex.dev/ns', 'https://openvex.dev/ns/v0.2.0'],
  vsa: ['https://slsa.dev/verification_summary/v1'],
}

const unitNs: Readonly<Record<string, number>> = { m: 60e9, h: 3600e9, d: 86_400e9, w: 604_800e9 }

/** What trust.rego reads at `data.trust_policy`. */
export function compileRules(document: TrustPolicyDocument, customReadsClock: boolean): Json {
  return {
    name: document.name,
    overrides: compileClause(document.overrides ?? { from: [] }),
    releases: { rollback: 'refuse', freshness: 'ignored', ...document.releases },
    customReadsClock,
    rules: [...document.rules.map(compileRule), refusing],
  }
}

/** The rule for what no other rule covers. */
const refusing: Json = { name: null, content: [{ prefix: '' }], clauses: [], refuses: true, asksMore: true }

function compileRule(rule: RuleDocument, index: number): Json {
  const { signatures = [], attestations = [], actions, environments, roles } = rule
  const content = typeof rule.content === 'string' ? [rule.content] : rule.content
  return {
    name: rule.name ?? `rule ${index + 1}`,
    content: content.map(compilePattern),
    ...(actions && { actions }),
    ...(environments && { environments }),
    ...(roles && { roles: roles as Json }),
    ...((roles || attestations.some((clause) => clause.maxSeverity)) && { asksMore: true }),
    clauses: [
      ...signatures.map((clause) => ({
        of: 'signatures',
        ...compileClause(clause),
        types: among(signatureTypes),
        ...signatureWords,
      })),
      ...attestations.map(({ type, maxSeverity, ...clause }) => ({
        of: 'attestations',
        ...compileClause(clause),
        types: among(predicateTypes[type] ?? [type]),
        ...(maxSeverity && { maxSeverity }),
        code: 'ATTESTATION',
        what: `${type} attestation`,
        verb: 'attest',
      })),
    ],
  }
}

/** What reasons call it. */
const signatureWords = { code: 'SIGNATURE', what: 'signature', verb: 'sign' }
/** The predicate type of what is nothing but a signature (cosign). */
const signatureTypes = ['https://sigstore.dev/cosign/sign/v1']

/** A set that is looked up in at no cost. */
const among = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, true]))

function compileClause({ atLeast = 1, from, maxAge }: ClauseDocument) {
  return {
    atLeast,
    maxAge: maxAge ?? null,
    maxAgeNs: maxAge ? Number.parseInt(maxAge, 10) * unitNs[maxAge.at(-1)!]! : null,
    keys: among(from.flatMap(({ key }) => (key === undefined ? [] : [key]))),
    identities: from.filter(({ key }) => key === undefined).map(compileIdentity),
    shown: from.map(showSigner).join(' or '),
  }
}

const compileIdentity = ({ identity, identityPattern, issuer, root }: SignerDocument) => ({
  issuer: issuer!,
  ...(identity !== undefined && { identity }),
  ...(identityPattern !== undefined && { pattern: anchored(identityPattern) }),
  ...(root !== undefined && { root }),
})

/** Patterns are held against the whole identity, always. */
export const anchored = (pattern: string): string => `^(?:${pattern})$`

const showSigner = ({ key, identity, identityPattern, issuer }: SignerDocument): string =>
  key ?? `${identity ?? `an identity like ${identityPattern}`} (${issuer})`

/**
 * Content patterns: `*` stands for one segment, `**` at the end for one or more. The form that costs least: most
 * patterns are exact, or end in `/**`.
 */
export function compilePattern(pattern: string): { exact: string } | { prefix: string } | { regex: string } {
  const isOpen = pattern === '**' || pattern.endsWith('/**')
  const fixed = isOpen ? pattern.slice(0, -2) : pattern
  if (!fixed.includes('*')) return isOpen ? { prefix: fixed } : { exact: fixed }
  const text = fixed.replaceAll(/[^A-Za-z0-9*]/g, (sign) => `\\${sign}`).replaceAll('*', '[^/]+')
  return { regex: `^(?:${text}${isOpen ? '.+' : ''})$` }
}
