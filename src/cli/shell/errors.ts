import { SealiftError } from '#base/index.ts'
import type { Context } from '../context.ts'
import { paint } from './paint.ts'
import { legible } from './print.ts'

/** What a person reads when a command fails: what and why, what to do next, and the code to look up. */
export function explain(context: Pick<Context, 'process' | 'env'>, error: unknown): string {
  const color = paint(context, context.process.stderr)
  if (!(error instanceof SealiftError)) {
    // Not one of ours: a fault of the program, so the stack is what helps.
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    const ask = 'This is a fault in Sealift: please report it with the lines above.'
    return legible(`${color.red('error:')} ${text}\n${ask}`)
  }
  const lines = [`${color.red('error:')} ${error.message} ${color.dim(`[${error.code}]`)}`]
  for (const cause of causes(error)) lines.push(`  ${color.dim('because:')} ${cause}`)
  if (error.hint) lines.push(`  ${color.bold('next:')} ${error.hint}`)
  return legible(lines.join('\n'))
}

function causes(error: Error): string[] {
  const texts: string[] = []
  for (let cause = error.cause; cause instanceof Error && texts.length < 5; cause = cause.cause) {
    if (cause.message && !error.message.includes(cause.message)) texts.push(cause.message)
  }
  return texts
}
