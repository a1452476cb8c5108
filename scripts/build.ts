// `npm run build`: what is published. Node strips types only outside node_modules, so an installed package runs
// JavaScript: the same modules, bundled by room boundaries, dependencies left to npm.
import { copyFileSync, readdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { build } from 'esbuild'

const root = join(import.meta.dirname, '..')
rmSync(join(root, 'dist'), { recursive: true, force: true })
const rooms = readdirSync(join(root, 'src'), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
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
  alias: Object.fromEntries(rooms.map((room) => [`#${room}`, `./src/${room}`])),
  logLevel: 'warning',
})
// What modules read beside themselves stands beside the bundle.
for (const path of ['src/policy/engine/regorus.wasm', 'src/policy/trust-policy/trust.rego']) {
  copyFileSync(join(root, path), join(root, 'dist', basename(path)))
}
