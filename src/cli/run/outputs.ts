import { readOutputs } from '#bundle/index.ts'
import { failure } from '../codes.ts'
import type { OutputsFlags } from '../commands/outputs.ts'
import type { Context } from '../context.ts'
import { openStore } from '../life-cycle.ts'
import { outputFacts, outputLines } from '../output-facts.ts'
import { openSession } from '../session.ts'
import { print } from '../shell/print.ts'

export async function run(
  this: Context,
  flags: OutputsFlags,
  installation: string,
  name?: string,
): Promise<void> {
  await using session = await openSession(this, flags)
  if (flags.reveal && name === undefined) {
    throw failure('USAGE', '--reveal is for one output that is named')
  }
  const store = await openStore(this, session)
  const { reveal } = flags
  const shown = await readOutputs(store, installation, { ...(name !== undefined && { name }), reveal })
  const facts = shown.map(outputFacts)
  const [only] = shown
  if (name !== undefined && session.format === 'text') {
    if (!only?.value) {
      throw failure('USAGE', `the bundle declares ${name} secret`, { hint: 'Add --reveal to print it.' })
    }
    // Byte for byte, so that it can go into a file.
    this.process.stdout.write(only.value)
    return
  }
  print(this, session.format, name === undefined ? facts : facts[0], () => outputLines(facts).join('\n'))
}
