import type { Context } from '../context.ts'

export const formats = ['text', 'json'] as const
export type Format = (typeof formats)[number]

/** Data goes to stdout, in the form that was asked for; all else goes to stderr. */
export function print(context: Context, format: Format, value: unknown, text: () => string): void {
  const body = format === 'json' ? JSON.stringify(value, null, 2) : text()
  if (body !== '') context.process.stdout.write(`${body}\n`)
}

/** The same on one line, for what goes on afterwards: the address of a server. */
export function printLine(context: Context, format: Format, value: unknown, text: string): void {
  context.process.stdout.write(`${format === 'json' ? JSON.stringify(value) : text}\n`)
}

/** Something for a person to know that is not the command's data. */
export function tell(context: Context, text: string): void {
  context.process.stderr.write(`${text}\n`)
}

/** Columns padded to the widest cell. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows]
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/** Sizes for people. */
export function bytes(size: number): string {
  let value = size
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`
}

/** Durations for people. */
export const seconds = (milliseconds: number): string =>
  `${(milliseconds / 1000).toFixed(milliseconds < 10_000 ? 2 : 1)} s`
