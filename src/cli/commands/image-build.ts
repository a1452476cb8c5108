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

export type ImageBuildFlags = FormatFlag &
  RegistryFlags & {
    readonly spec?: string
    readonly base?: string
    readonly platform?: string
    readonly file?: readonly string[]
    readonly executable?: readonly string[]
    readonly entrypoint?: readonly string[]
    readonly env?: readonly string[]
    readonly user?: string
    readonly workingDir?: string
  }

const one = { kind: 'parsed', parse: text, optional: true } as const
const many = { ...one, variadic: true } as const

export const imageBuild = buildCommand<ImageBuildFlags, [string], Context>({
  loader: async () => (await import('../run/image-build.ts')).run,
  parameters: {
    flags: {
      spec: {
        ...one,
        placeholder: 'FILE',
        brief: 'Base, layers and config in YAML: what `build` has in a project file',
      },
      base: { ...one, placeholder: 'REF', brief: 'The image to add to; scratch where it is not said' },
      platform: { ...one, placeholder: 'OS/ARCH', brief: "The base's, or this machine's" },
      file: { ...many, placeholder: 'FROM:TO', brief: 'A file or folder, and its path in the image' },
      executable: {
        ...many,
        placeholder: 'FROM[:TO]',
        brief: 'An executable, with the shared libraries that it loads',
      },
      entrypoint: { ...many, placeholder: 'WORD', brief: 'One word of the entrypoint; repeat for more' },
      env: { ...many, placeholder: 'NAME=VALUE', brief: 'A variable' },
      user: { ...one, placeholder: 'USER', brief: 'Who runs it' },
      workingDir: { ...one, placeholder: 'DIR', brief: 'Where it runs' },
      ...formatFlag,
      ...registryFlags,
    },
    aliases: { ...formatAlias, f: 'spec' },
    positional: {
      kind: 'tuple',
      parameters: [
        { parse: text, placeholder: 'TARGET', brief: 'A reference, oci:DIR:REF, oci-archive:FILE:REF' },
      ],
    },
  },
  docs: {
    brief: 'Build an image without a container engine',
    fullDescription: described(
      'Builds an image from files, and executables with the shared libraries they load, on scratch or on a base. The same input gives the same digest: times are SOURCE_DATE_EPOCH or 0, entries are sorted.',
      [
        'sealift image build oci:./layout:web --executable /usr/bin/python3 --file ./site:/srv --entrypoint python3',
        'sealift image build localhost:5000/shop/web:1.4.0 -f image.yaml',
        'sealift image build registry.example/shop/web:2 --base registry.example/base:12 --file ./app:/app',
      ],
    ),
  },
})
