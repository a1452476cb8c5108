import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Workbench } from './workbench.ts'

const root = join(import.meta.dirname, '..', '..')
/** Large, and for making Sealift alone; Node itself comes as the executable. */
const tools = /^(\.|typescript$|@typescript$|@biomejs$|esbuild$|@esbuild$|node-linux-)/

/** Builds an image of this checkout, with Node and what npm brought, by `sealift image build`. */
export async function buildSealiftImage(bench: Workbench, reference: string): Promise<void> {
  const packages = readdirSync(join(root, 'node_modules')).filter((name) => !tools.test(name))
  const paths = ['src', 'package.json', ...packages.map((name) => `node_modules/${name}`)]
  await bench.sealift([
    ...['image', 'build', reference, '--executable', process.execPath],
    ...paths.flatMap((path) => ['--file', `${join(root, path)}:/app/${path}`]),
    ...['--entrypoint', process.execPath, '--entrypoint', '/app/src/cli/main.ts'],
    ...['--user', '65532:65532', '--working-dir', '/app'],
  ])
}
