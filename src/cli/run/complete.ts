import { proposeCompletions } from '@stricli/core'
import { application } from '../app.ts'
import type { Context } from '../context.ts'

export async function run(this: Context, _flags: unknown, ...words: string[]): Promise<void> {
  const proposals = await proposeCompletions(application(this), words, this)
  for (const { completion, brief } of proposals) this.process.stdout.write(`${completion}\t${brief}\n`)
}
