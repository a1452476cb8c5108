/** An error of the engine, taken apart. Lines and columns count from 1. */
export interface LocatedError {
  readonly file?: string
  readonly line?: number
  readonly column?: number
  readonly message: string
}

/**
 * The engine shows errors as a compiler does: `--> FILE:LINE:COLUMN`, the line with a mark under it, `error: MESSAGE`.
 * What does not look like that is all message.
 */
export function locate(text: string): LocatedError {
  const shown = /^\s*--> (?<file>.+):(?<line>\d+):(?<column>\d+)\n/.exec(text)
  const start = shown ? text.indexOf('\nerror: ') : -1
  const message = (start === -1 ? text : text.slice(start + '\nerror: '.length)).trim()
  if (!shown?.groups) return { message }
  const { file, line, column } = shown.groups
  return { file: file!, line: Number(line), column: Number(column), message }
}
