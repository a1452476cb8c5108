// The entry point: answers --version at once, and loads the rest only when there is more to do.
import { version } from './version.ts'

const args = process.argv.slice(2)
if (args.length === 1 && (args[0] === '--version' || args[0] === '-v')) {
  process.stdout.write(`sealift ${version}\n`)
} else {
  const { main } = await import('./app.ts')
  await main(args)
}
