// `npm run build`: what is published. Node strips types only outside node_modules, so an installed package runs
// JavaScript: the same modules, bundled by room boundaries, dependencies left to npm.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'

const root = join(import.meta.dirname, '..')
rmSync(join(root, 'dist'), { recursive: true, force: true })
await build({
  absWorkingDir: root,
  entryPoints: {
    main: 'src/cli/main.ts',
    index: 'src/index.ts',
    'bcrypt-worker': 'src/registry/server/authentication/bcrypt-worker.ts',
  },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node26',
  packages: 'external',
  // Only what npm brings stays outside: the rooms (#room) are inside.
  alias: Object.fromEntries(
    ['base', 'oci', 'content', 'registry', 'image', 'bundle'].map((room) => [`#${room}`, `./src/${room}`]),
  ),
  logLevel: 'warning',
})
