import { copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Workbench } from './workbench.ts'

const root = join(import.meta.dirname, '..', '..')
/** Large, and for making Sealift alone; Node itself comes as the executable. */
const tools = /^(\.|typescript$|@typescript$|@biomejs$|esbuild$|@esbuild$|node-linux-)/

/** Builds an image of this checkout, with Node and what npm brought, by `sealift image build`. */
export async function buildSealiftImage(bench: Workbench, reference: string): Promise<void> {
  const packages = readdirSync(join(root, 'node_modules')).filter((name) => !tools.test(name))
  const paths = ['src', 'package.json', ...packages.map((name) => `node_modules/${name}`)]
  // An executable keeps its path; pods mount a folder over /tmp, where this checkout may lie.
  const place = `/var/tmp/sealift-image-${process.pid}`
  const node = join(place, 'node')
  mkdirSync(place)
  try {
    copyFileSync(process.execPath, node)
    await bench.sealift([
      ...['image', 'build', reference, '--executable', node],
      ...paths.flatMap((path) => ['--file', `${join(root, path)}:/app/${path}`]),
      ...['--entrypoint', node, '--entrypoint', '/app/src/cli/main.ts'],
      ...['--user', '65532:65532', '--working-dir', '/app'],
    ])
  } finally {
    rmSync(place, { recursive: true })
  }
}
