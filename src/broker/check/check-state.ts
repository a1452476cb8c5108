import { failure } from '../codes.ts'
import type { BrokerConfiguration } from '../configuration/types.ts'
import { identityOf } from '../identity.ts'
import { openNebula } from '../nebula/index.ts'
import { openPki } from '../pki/index.ts'
import { compileBrokerPolicy, StoredPolicies } from '../policies/index.ts'
import { StoredReferences } from '../references/index.ts'
import { openTokenKeys } from '../token-keys/index.ts'
import type { SecretStore } from '../types.ts'
import type { Findings } from './findings.ts'

/** Devices beside a CPU; their evidence has a policy of its own. */
const deviceTees: readonly string[] = ['nvidia', 'hygondcu', 'sampledevice']

/** What lies in a broker's state. @param state to which nothing is written */
export async function checkState(
  state: SecretStore,
  configuration: BrokerConfiguration,
  at: Date,
  findings: Findings,
): Promise<void> {
  const { tees, nebula, pki, issuer } = configuration
  await checkPolicies(
    new StoredPolicies(state),
    tees.some((tee) => deviceTees.includes(tee)),
    findings,
  )
  await findings.look('references', async () => {
    const values = await new StoredReferences(state).values()
    const ended = values.filter(({ expiration }) => expiration <= at).map(({ name }) => name)
    if (ended.length === 0) return `values that hold: ${values.length}`
    throw failure('BROKER_REFERENCE_EXPIRED', `these values have expired: ${ended.sort().join(', ')}`)
  })
  await findings.look('token-keys', async () => {
    if ((await state.list('token-keys/', { limit: 1 })).length === 0) return 'made when the broker starts'
    const keys = await openTokenKeys(state, { issuer, now: () => at })
    const { kid } = await keys.signer(at)
    return `${kid} signs; ${(await keys.trust(at)).keys?.length} count`
  })
  const options = { identity: identityOf(configuration.identity), now: () => at }
  if (nebula)
    await findings.look('nebula', async () => {
      if ((await state.list('nebula/', { limit: 1 })).length === 0) return 'made when the broker starts'
      await using opened = await openNebula(state, nebula, options)
      const all = await opened.authorities.list(at)
      return all
        .filter(({ phase }) => phase !== 'ended')
        .map(({ fingerprint, phase, certificate }) =>
          told(fingerprint.slice(0, 16), phase, new Date(certificate.notAfter * 1000)),
        )
        .join('; ')
    })
  if (pki)
    await findings.look('pki', async () => {
      const opened = openPki(state, pki, options)
      if ((await state.list('pki/', { limit: 1 })).length === 0) return 'made when it is first asked'
      const { roots, intermediates } = await opened.authorities(at)
      return [
        ...roots.map(({ id, until }, place) => told(`root ${id}`, phaseOf(place), until)),
        ...intermediates.map(({ id, until }, place) => told(`intermediate ${id}`, phaseOf(place), until)),
      ].join('; ')
    })
}

async function checkPolicies(policies: StoredPolicies, hasDevices: boolean, findings: Findings) {
  let names: readonly string[] = []
  const isRead = await findings.look('policies', async () => {
    names = await policies.names()
    return names.length === 0 ? 'none' : names.join(', ')
  })
  if (!isRead) return
  const needed = ['resource', 'attestation/default_cpu', ...(hasDevices ? ['attestation/default_gpu'] : [])]
  for (const name of new Set([...names, ...needed]) as Set<'resource'>)
    await findings.look(`policies/${name}`, async () => {
      if (!names.includes(name))
        throw failure('BROKER_POLICY_MISSING', `there is no policy ${name}: what it decides is denied`)
      const { files, version } = await policies.read(name)
      compileBrokerPolicy(name, files)
      return `version ${version} is in force`
    })
}

const phaseOf = (place: number) => (place === 0 ? 'issuing' : 'trusted')
const told = (id: string, phase: string, until: Date) => `${id} is ${phase} until ${until.toISOString()}`
