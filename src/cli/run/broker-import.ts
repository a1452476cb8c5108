import { dirname, join, resolve } from 'node:path'
import { parsePrincipal } from '#access/index.ts'
import { parseReferenceValue } from '#attestation/index.ts'
import { policyLimits, secretLimits } from '#base/index.ts'
import { type ImportNote, type ImportPlan, importBroker, planImport } from '#broker/index.ts'
import { type BrokerAdmin, openBrokerAs } from '../broker/admin.ts'
import { makeBroker } from '../broker/make-broker.ts'
import { attempt, filesIn, found } from '../broker/trustee-files.ts'
import { failure } from '../codes.ts'
import type { BrokerImportFlags } from '../commands/broker-import.ts'
import type { Context } from '../context.ts'
import { readWhole } from '../files.ts'
import { openSession } from '../session.ts'
import { count, oneLine, print } from '../shell/print.ts'

export async function run(
  this: Context,
  flags: BrokerImportFlags,
  file: string,
  folder: string,
): Promise<void> {
  await using session = await openSession(this, flags)
  const source = resolve(this.cwd, file)
  const directory = resolve(this.cwd, folder)
  const text = Buffer.from(await readWhole(source, secretLimits.configurationBytes)).toString()
  const plan = planImport(text, dirname(source))
  const made = await makeBroker(this, flags, directory, (terms) => importBroker(directory, plan, terms))
  // Its owner need not be whoever runs this: what they will own is put in in their name.
  await using broker = await openBrokerAs(parsePrincipal(made.owner), directory, session.signal)
  const notes: ImportNote[] = [...plan.notes]
  const policies = await putPolicies(broker, plan, notes)
  const resources = await putResources(broker, plan, notes)
  const stored = await putStored(broker, plan, notes)
  policies.push(...stored.policies)
  const { references } = stored
  print(this, session.format, { ...made, notes, policies, resources, references }, () =>
    [
      `a key broker in ${folder}, owned by ${made.owner}`,
      ...notes.map(({ from, to, why }) =>
        oneLine(
          to === undefined
            ? `  not taken: ${from}: ${why}`
            : `  ${from} -> ${to}${why === undefined ? '' : ` (${why})`}`,
        ),
      ),
      `${count(policies.length, 'policy').replace(/policys$/, 'policies')}, ${count(resources.length, 'resource')}, ${count(references.length, 'reference value')}`,
    ].join('\n'),
  )
}

async function putPolicies(
  broker: BrokerAdmin,
  { policies, policyFolders }: ImportPlan,
  notes: ImportNote[],
): Promise<string[]> {
  const found: { name: string; path: string }[] = [...policies]
  for (const folder of policyFolders)
    for (const path of await filesIn(folder, notes))
      if (path.endsWith('.rego'))
        found.push({ name: `attestation/${path.slice(0, -5)}`, path: join(folder, path) })
  const put: string[] = []
  for (const { name, path } of found)
    await attempt(notes, path, async () => {
      await putPolicy(broker, name, await readWhole(path, policyLimits.bytes))
      put.push(name)
    })
  return put
}

async function putPolicy(broker: BrokerAdmin, name: string, rego: Uint8Array): Promise<void> {
  const text = Buffer.from(rego).toString()
  const body = Buffer.from(JSON.stringify({ files: [{ path: `${name.split('/').at(-1)}.rego`, text }] }))
  await broker.ask({ api: 'admin', method: 'PUT', path: ['policies', ...name.split('/')], body })
}

/** Policies and reference values that lie in the storage where resources do. */
async function putStored(broker: BrokerAdmin, { stored }: ImportPlan, notes: ImportNote[]) {
  const policies: string[] = []
  const references: string[] = []
  for (const source of stored)
    for (const [names, read] of await found(source, notes))
      await attempt(notes, join(source.path, ...names), async () => {
        if (source.holds === 'references') {
          references.push(await putReference(broker, await read()))
          return
        }
        const name = policyOf(source.holds, names.join('/'))
        if (name === undefined) throw failure('USAGE', 'it is the name of no policy')
        await putPolicy(broker, name, await read())
        policies.push(name)
      })
  return { policies, references }
}

/** Trustee's name of it: `resource-policy.rego`, `default_cpu.rego`. */
function policyOf(holds: 'resourcePolicy' | 'attestationPolicies', key: string): string | undefined {
  if (holds === 'resourcePolicy') return key === 'resource-policy.rego' ? 'resource' : undefined
  return key.endsWith('.rego') ? `attestation/${key.slice(0, -'.rego'.length)}` : undefined
}

async function putReference(broker: BrokerAdmin, bytes: Uint8Array): Promise<string> {
  const { name, value, expiration } = parseReferenceValue(bytes)
  const body = Buffer.from(JSON.stringify({ value, expires: expiration.toISOString() }))
  await broker.ask({ api: 'admin', method: 'PUT', path: ['references', ...name.split('/')], body })
  return name
}

async function putResources(
  broker: BrokerAdmin,
  { resources }: ImportPlan,
  notes: ImportNote[],
): Promise<string[]> {
  const put: string[] = []
  for (const source of resources)
    for (const [names, read] of await found(source, notes))
      await attempt(notes, join(source.path, ...names), async () => {
        if (names.length !== 3) throw failure('USAGE', 'it is not REPOSITORY/TYPE/TAG')
        const body = await read()
        await broker.ask({ api: 'kbs', method: 'POST', path: ['resource', ...names], body })
        body.fill(0)
        put.push(names.join('/'))
      })
  return put
}
