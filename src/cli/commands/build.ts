import { buildCommand } from '@stricli/core'
import type { Context } from '../context.ts'
import { described, type FormatFlag, formatFlag, type RegistryFlags, registryFlags, text } from '../flags.ts'

export type BuildFlags = FormatFlag & RegistryFlags & { readonly file: string; readonly output: string }

export const build = buildCommand<BuildFlags, [], Context>({
  loader: async () => (await import('../run/build.ts')).run,
  parameters: {
    flags: {
      file: {
        kind: 'parsed',
        parse: text,
        default: 'sealift.yaml',
        placeholder: 'FILE',
        brief: 'The project file',
      },
      output: {
        kind: 'parsed',
        parse: text,
        default: 'bundle.json',
        placeholder: 'FILE',
        brief: 'The bundle to write',
      },
      ...formatFlag,
      ...registryFlags,
    },
    aliases: { f: 'file', o: 'output' },
  },
  docs: {
    brief: 'Build a thin CNAB bundle from one project file',
    fullDescription: described(
      'Builds a canonical CNAB 1.2 bundle from a project file: builds and pushes the images it describes, pushes files, VM images and charts as artifacts, pins every reference to a digest, and says what it pinned.',
      [
        'sealift build',
        'sealift build -f release/sealift.yaml -o release/bundle.json',
        'sealift build --format json',
      ],
    ),
  },
})
