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
    breakGlass: document.breakGlass ?? true,
    customReadsClock,
    rules: document.rules.map(compileRule),
  }
}

function compileRule(rule: RuleDocument, index: number): Json {
  const { signatures = [], attestations = [], actions, environments, roles } = rule
  const content = typeof rule.content === 'string' ? [rule.content] : rule.content
  return {
    name: rule.name ?? `rule ${index + 1}`,
    content: content.map(compilePattern),
    ...(actions && { actions }),
    ...(environments && { environments }),
    ...(roles && { roles: roles as Json }),
    signatures: signatures.map(compileClause),
    attestations: attestations.map(({ type, maxSeverity, ...clause }) => ({
      ...compileClause(clause),
      type,
      types: [...(predicateTypes[type] ?? [type])],
      ...(maxSeverity && { maxSeverity }),
    })),
  }
}

function compileClause({ atLeast = 1, from, maxAge }: ClauseDocument) {
  return {
    atLeast,
    maxAge: maxAge ?? null,
    maxAgeNs: maxAge ? Number.parseInt(maxAge, 10) * unitNs[maxAge.at(-1)!]! : null,
    keys: from.flatMap(({ key }) => (key === undefined ? [] : [key])),
    identities: from.flatMap(({ key, identity, identityPattern, issuer, root }) =>
      key === undefined
        ? [
            {
              issuer: issuer!,
              ...(identity !== undefined && { identity }),
              ...(identityPattern !== undefined && { pattern: anchored(identityPattern) }),
              ...(root !== undefined && { root }),
            },
          ]
        : [],
    ),
    shown: from.map(showSigner).join(' or '),
  }
}

/** Patterns are held against the whole identity, always. */
export const anchored = (pattern: string): string => `^(?:${pattern})$`

const showSigner = ({ key, identity, identityPattern, issuer }: SignerDocument): string =>
  key ?? `${identity ?? `an identity like ${identityPattern}`} (${issuer})`

/**
 * Content patterns: `*` stands for (a part of) one segment, `**` for any number of segments. The form that costs
 * least: most patterns are exact, or end in `/**`.
 */
export function compilePattern(pattern: string): { exact: string } | { prefix: string } | { regex: string } {
  if (!pattern.includes('*')) return { exact: pattern }
  if (pattern.endsWith('/**') && pattern.indexOf('*') === pattern.length - 2)
    return { prefix: pattern.slice(0, -2) }
  const segments = pattern.split('/').map((segment, index, all) => {
    const last = index === all.length - 1
    if (segment === '**') return last ? '.+' : '(?:[^/]+/)*'
    const text = segment.replaceAll(/[^A-Za-z0-9*]/g, (sign) => `\\${sign}`).replaceAll('*', '[^/]*')
    return last ? text : `${text}/`
  })
  return { regex: `^(?:${segments.join('')})$` }
}
