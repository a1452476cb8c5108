import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import {
  described,
  type FormatFlag,
  formatAlias,
  formatFlag,
  type RegistryFlags,
  registryFlags,
  text,
} from '../flags.ts'
import { type GateFlags, gateFlags } from '../gate/flags.ts'

export type AdmissionServeFlags = FormatFlag &
  RegistryFlags &
  GateFlags & {
    readonly config?: string
    readonly listen?: string
    readonly mirror?: readonly string[]
    readonly hostname?: readonly string[]
    readonly ip?: readonly string[]
    readonly secret?: string
    readonly certificates?: string
    readonly configuration?: string
    readonly kubeconfig?: string
    readonly clientCa?: string
    readonly verbose: boolean
  }

const one = { kind: 'parsed', parse: text, optional: true } as const
const many = { ...one, variadic: true } as const

export const admissionServe = buildCommand<AdmissionServeFlags, [], Context>({
  loader: async () => (await import('../run/admission-serve.ts')).run,
  parameters: {
    flags: {
      ...formatFlag,
      ...gateFlags,
      config: {
        ...one,
        placeholder: 'FILE',
        brief: 'All of this and more in YAML (docs/admission.md); a flag wins',
      },
      listen: {
        ...one,
        placeholder: 'HOST:PORT',
        brief: 'Where to listen (127.0.0.1:8443); port 0 takes a free one',
      },
      mirror: {
        ...many,
        placeholder: 'LOCATION',
        brief:
          'Where images and signatures are: HOST/PREFIX, an archive, oci:DIR; may be given several times',
      },
      hostname: { ...many, placeholder: 'NAME', brief: 'A DNS name of the webhook, for its certificate' },
      ip: { ...many, placeholder: 'ADDRESS', brief: 'An address of the webhook, for its certificate' },
      secret: {
        ...one,
        placeholder: 'NAMESPACE/NAME',
        brief: 'The Secret where all replicas keep the certificates',
      },
      certificates: {
        ...one,
        placeholder: 'DIR',
        brief: 'Or the folder of the one server; else in the state directory',
      },
      configuration: {
        ...one,
        placeholder: 'NAME',
        brief: 'Webhook configurations that are to get the CA bundle',
      },
      kubeconfig: {
        ...one,
        placeholder: 'FILE',
        brief: 'How to reach the cluster; else as the pod that this is',
      },
      clientCa: {
        ...one,
        placeholder: 'FILE',
        brief: 'Take reviews only from clients with a certificate of these',
      },
      ...registryFlags,
      verbose: {
        kind: 'boolean',
        default: false,
        brief: 'One line for each review on stderr, not only for denials',
      },
    },
    aliases: formatAlias,
  },
  docs: {
    brief: 'Let pods into a cluster only with a yes of the trust policy',
    fullDescription: described(
      'A Kubernetes validating and mutating webhook (AdmissionReview v1): tags become digests, and every image of a pod is asked about at the same gate as at pack, load and install. It fails closed, needs nothing but the mirror, and renews its certificates by itself.',
      [
        'sealift admission serve --policy trust.yaml --mirror registry.enclave/vendor --hostname admission.enclave',
        'sealift admission serve --config /etc/sealift/admission.yaml --kubeconfig ~/.kube/config --configuration sealift-admission',
        'sealift admission serve --policy trust.yaml --mirror app.tgz --ip 127.0.0.1 --listen 127.0.0.1:0 -o json',
      ],
    ),
  },
})
