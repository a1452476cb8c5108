// Runs every *.test.ts under src/ and test/ (interop apart, which needs real peers: `npm run interop`).
// With arguments: only the files whose path contains one of them.
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'

const wanted = process.argv.slice(2)
const files = globSync(['src/**/*.test.ts', 'test/**/*.test.ts'], { exclude: ['test/interop/**'] })
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort()
if (files.length === 0) {
  console.error(`no test file matches ${wanted.join(' ')}`)
  process.exit(1)
}
const reporter = process.stdout.isTTY ? 'spec' : 'dot'
const child = spawn(
  process.execPath,
  ['--test', `--test-reporter=${process.env.SEALIFT_TEST_REPORTER ?? reporter}`, ...files],
  { stdio: 'inherit' },
)
child.on('exit', (code) => process.exit(code ?? 1))
