import { basename, resolve } from 'node:path'
import { admissionLimits } from '#base/index.ts'
import { admissionManifests } from '#server/index.ts'
import { failure } from '../codes.ts'
import type { AdmissionManifestsFlags } from '../commands/admission-manifests.ts'
import type { Context } from '../context.ts'
import { readWhole } from '../files.ts'

const dnsLabel = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/

export async function run(this: Context, flags: AdmissionManifestsFlags): Promise<void> {
  const { image, url, name, namespace, registrySecret, storageClass } = flags
  if ((image === undefined) === (url === undefined)) {
    throw failure(
      'USAGE',
      'name the image that runs in the cluster (--image), or where the webhook is (--url)',
    )
  }
  if (url !== undefined && URL.parse(url)?.protocol !== 'https:') {
    throw failure('USAGE', `${url} is not an https URL; an API server calls no other`)
  }
  for (const text of [name, namespace, ...(flags.exempt ?? [])]) {
    if (!dnsLabel.test(text)) throw failure('USAGE', `${text} cannot be the name of an object`)
  }
  if (image !== undefined && !flags.policy?.length) {
    throw failure('USAGE', 'without a policy nothing would be let in: name it (--policy)')
  }
  const read = async (path: string) => {
    const bytes = await readWhole(resolve(this.cwd, path), admissionLimits.configurationBytes)
    return Buffer.from(bytes).toString()
  }
  const policy: Record<string, string> = {}
  for (const path of flags.policy ?? []) policy[basename(path)] = await read(path)
  const objects = admissionManifests({
    ...{ name, namespace, policy, replicas: flags.replicas },
    args: [
      ...(flags.mirror ?? []).flatMap((mirror) => ['--mirror', mirror]),
      ...(flags.plainHttp ?? []).flatMap((host) => ['--plain-http', host]),
    ],
    exempt: flags.exempt ?? [],
    environmentLabel: flags.environmentLabel,
    timeoutSeconds: flags.timeout,
    ...(image !== undefined && { image }),
    ...(url !== undefined && { url }),
    ...(registrySecret !== undefined && { registrySecret }),
    ...(storageClass !== undefined && { storageClass }),
    ...(flags.caBundle !== undefined && { caBundle: await read(flags.caBundle) }),
  })
  const { stringify } = await import('yaml')
  const documents = objects.map((object) => stringify(object, { aliasDuplicateObjects: false }))
  this.process.stdout.write(documents.join('---\n'))
}
