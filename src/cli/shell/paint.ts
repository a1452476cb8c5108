import { styleText } from 'node:util'
import type { Context, Output } from '../context.ts'

type Paint = (text: string) => string

/** Colours where the stream is a terminal and NO_COLOR is not set (no-color.org). */
export function paint(
  context: Pick<Context, 'env'>,
  output: Output,
): Record<'red' | 'green' | 'yellow' | 'bold' | 'dim', Paint> {
  const plain = !output.isTTY || Boolean(context.env.NO_COLOR) || context.env.TERM === 'dumb'
  const style = (name: Parameters<typeof styleText>[0]): Paint =>
    plain ? (text) => text : (text) => styleText(name, text, { validateStream: false })
  return {
    red: style('red'),
    green: style('green'),
    yellow: style('yellow'),
    bold: style('bold'),
    dim: style('dim'),
  }
}
