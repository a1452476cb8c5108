import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { described, registryFlags, text } from '../flags.ts'

export interface AdmissionManifestsFlags {
  readonly name: string
  readonly namespace: string
  readonly image?: string
  readonly replicas: number
  readonly policy?: readonly string[]
  readonly mirror?: readonly string[]
  readonly plainHttp?: readonly string[]
  readonly registrySecret?: string
  readonly storageClass?: string
  readonly url?: string
  readonly caBundle?: string
  readonly exempt?: readonly string[]
  readonly environmentLabel: string
  readonly timeout: number
}

const word = { kind: 'parsed', parse: text } as const
const one = { ...word, optional: true } as const
const many = { ...one, variadic: true } as const

/** A whole number in a range. */
const wholeNumber = (least: number, most: number) => (text: string) => {
  const number = /^\d{1,4}$/.test(text) ? Number(text) : Number.NaN
  if (number >= least && number <= most) return number
  throw new RangeError(`it must be a whole number from ${least} to ${most}`)
}

export const admissionManifests = buildCommand<AdmissionManifestsFlags, [], Context>({
  loader: async () => (await import('../run/admission-manifests.ts')).run,
  parameters: {
    flags: {
      name: { ...word, default: 'sealift-admission', placeholder: 'NAME', brief: 'Of all objects' },
      namespace: {
        ...word,
        default: 'sealift-system',
        placeholder: 'NAME',
        brief: 'Where it runs; it is exempt itself',
      },
      image: { ...one, placeholder: 'REF', brief: 'The image that holds sealift, best by digest' },
      replicas: {
        kind: 'parsed',
        parse: wholeNumber(1, 100),
        default: '2',
        placeholder: 'N',
        brief: 'How many',
      },
      policy: {
        ...many,
        placeholder: 'FILE',
        brief: 'The trust policy, and files that it names; the policy first',
      },
      mirror: { ...many, placeholder: 'HOST/PREFIX', brief: 'Where images and signatures are' },
      plainHttp: registryFlags.plainHttp,
      registrySecret: {
        ...one,
        placeholder: 'NAME',
        brief: 'A Secret of type dockerconfigjson, for the mirror',
      },
      storageClass: { ...one, placeholder: 'NAME', brief: 'Of the volumes that keep the decisions' },
      url: {
        ...one,
        placeholder: 'URL',
        brief: 'For a webhook outside of the cluster: only the configurations',
      },
      caBundle: {
        ...one,
        placeholder: 'FILE',
        brief: 'Whom to trust there, where the webhook does not say it itself',
      },
      exempt: { ...many, placeholder: 'NAMESPACE', brief: 'Not judged at all; may be given several times' },
      environmentLabel: {
        ...word,
        default: 'sealift.dev/environment',
        placeholder: 'LABEL',
        brief: 'Label of namespaces that makes them build or trial; without it they are production',
      },
      timeout: {
        kind: 'parsed',
        parse: wholeNumber(2, 30),
        default: '10',
        placeholder: 'SECONDS',
        brief: 'For which the API server waits; the webhook itself answers after 8',
      },
    },
  },
  docs: {
    brief: 'Print the YAML that installs the admission webhook',
    fullDescription: described(
      'Prints everything that `sealift admission serve` needs in a cluster: namespace, service account with the least of rights, Secret, policy, replicas, service, and both webhook configurations, which fail closed. Nothing is sent anywhere.',
      [
        'sealift admission manifests --image registry.enclave/sealift:1 --policy trust.yaml --policy release.pub --mirror registry.enclave/vendor | kubectl apply -f -',
        'sealift admission manifests --url https://admission.enclave:8443 --exempt kube-system > webhook.yaml',
      ],
    ),
  },
})
