import { type Json, type SecretLimits, secretLimits } from '#base/index.ts'
import { shapeProblems, tell } from '#base/shape/index.ts'
import { failure } from '../codes.ts'
import { nebulaTerms } from '../nebula/terms.ts'
import { isPluginName } from '../packages/package-name.ts'
import { statementsProblem } from '../references/statement-rules.ts'
import { checkResourceConfiguration, checkUrl } from '../resource/configuration.ts'
import { placesProblem } from './check-places.ts'
import { readYaml } from './read-yaml.ts'
import { brokerConfigurationSchema } from './schema.ts'
import type { BrokerConfiguration } from './types.ts'

/**
 * `broker.yaml`. Nothing unknown is passed over, and what does not go together is refused: a session of one process
 * beside a log of several would let a guest prove itself here and be a stranger there.
 *
 * @throws BROKER_CONFIGURATION_INVALID, RESOURCE_CONFIGURATION_INVALID, NEBULA_CONFIGURATION_INVALID
 */
export function parseBrokerConfiguration(
  source: string,
  limits: SecretLimits = secretLimits,
): BrokerConfiguration {
  const value = readYaml(source, limits.configurationBytes, invalid)
  const problems = shapeProblems(brokerConfigurationSchema, value)
  if (problems.length > 0) throw invalid(tell(problems))
  const configuration = value as unknown as BrokerConfiguration
  const { state, keyring, sessions, audit, admin, issuer } = configuration
  checkResourceConfiguration({ version: 1, ...configuration.resources } as unknown as Json, limits)
  if (state.kind === 'postgres') checkUrl(state.url, '/state/url', invalid)
  const places = placesProblem(configuration)
  if (places !== undefined) throw invalid(places)
  if ((keyring.keyFile === undefined) === (keyring.passwordFile === undefined))
    throw invalid('/keyring needs one of keyFile and passwordFile')
  if (/[\p{C}\s]/u.test(issuer)) throw invalid('/issuer has white space or control characters in it')
  if (state.kind !== 'postgres' && (sessions?.kind === 'postgres' || audit.kind === 'postgres'))
    throw invalid('/sessions and /audit are in PostgreSQL only where /state is')
  if (audit.kind === 'postgres' && sessions?.kind !== 'postgres')
    throw invalid('/sessions/kind is memory while /audit is shared: replicas share both or neither')
  if (admin && !admin.keys && !admin.issuers && admin.clientCa === undefined)
    throw invalid('/admin lets nobody in: it has neither keys, issuers nor a clientCa')
  if (configuration.nebula) nebulaTerms(configuration.nebula)
  const problem = configuration.references && statementsProblem(configuration.references.statements)
  if (problem !== undefined) throw invalid(problem)
  for (const [at, trusted] of (configuration.trustedTokens ?? []).entries()) {
    if (trusted.keys === undefined && trusted.certificates === undefined)
      throw invalid(`/trustedTokens/${at} needs keys, certificates or both`)
    if (trusted.issuer === issuer)
      throw invalid(`/trustedTokens/${at}/issuer is the broker's own: nobody else issues its tokens`)
  }
  checkPackages(configuration)
  return configuration
}

function checkPackages({ packages = [], resources }: BrokerConfiguration): void {
  const given = new Set<string>()
  for (const [name, { place }] of Object.entries(resources.stores))
    if (place.kind === 'given') given.add(name)
  const seen = new Set<string>()
  for (const [at, { kind, name }] of packages.entries()) {
    const key = `${kind} ${name}`
    if (seen.has(key)) throw invalid(`/packages/${at}: the ${kind} ${name} is there twice`)
    seen.add(key)
    if (kind === 'plugin' && !isPluginName(name))
      throw invalid(`/packages/${at}: ${name} is no name that a plugin of others may have`)
    if (kind === 'store' && !given.delete(name))
      throw invalid(`/packages/${at}: no store ${name} of the place \`given\` is configured`)
  }
  const [missing] = given
  if (missing !== undefined)
    throw invalid(`/resources/stores/${missing} is to be given, and no package gives it`)
}

const invalid = (why: string) =>
  failure('BROKER_CONFIGURATION_INVALID', `the configuration of the broker is refused: ${why}`)
