/**
 * Names that no plugin of others may have: the broker's own calls and plugins, and the members that a policy sees
 * beside a plugin's own.
 */
const reserved: ReadonlySet<string> = new Set([
  'auth',
  'attest',
  'resource-policy',
  'attestation-policy',
  'reference-value',
  'resource',
  'nebula-ca',
  'pki',
  'token-keys',
  'token-certificates',
  'metrics',
  'healthz',
  'plugin',
  'method',
  'query',
  'resource-path',
])

/** Whether a plugin of others may answer under this name. */
export const isPluginName = (name: string): boolean =>
  /^[a-z][a-z0-9-]{0,62}$/.test(name) && !reserved.has(name)
