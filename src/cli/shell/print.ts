import type { Context } from '../context.ts'

export const formats = ['text', 'json'] as const
export type Format = (typeof formats)[number]

/** Data goes to stdout, in the form that was asked for; all else goes to stderr. */
export function print(context: Context, format: Format, value: unknown, text: () => string): void {
  const body = format === 'json' ? JSON.stringify(value, null, 2) : legible(text())
  if (body !== '') context.process.stdout.write(`${body}\n`)
}

/** The same on one line, for what goes on afterwards: the address of a server. */
export function printLine(context: Context, format: Format, value: unknown, text: string): void {
  context.process.stdout.write(`${format === 'json' ? JSON.stringify(value) : text}\n`)
}

/** Something for a person to know that is not the command's data. */
export function tell(context: Context, text: string): void {
  context.process.stderr.write(`${legible(text)}\n`)
}

// Control characters but line feed and tab, and what turns the direction of text around.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const controls = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g
// biome-ignore lint/suspicious/noControlCharactersInRegex: the colours that `paint` makes
const colours = /(\x1b\[[\d;]*m)/

/** Text that only says things to a terminal: names and messages may come from whoever made an archive. */
export function legible(text: string): string {
  return text
    .split(colours)
    .map((part) => (colours.test(part) ? part : part.replace(controls, spelled)))
    .join('')
}

/** The same where a line must stay one: in a table, a list, a tree. */
export const oneLine = (text: string): string =>
  text.replace(/[\r\n\u2028\u2029]+/g, ' ').replace(controls, spelled)

const spelled = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/** Columns padded to the widest cell. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows].map((row) => row.map(oneLine))
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

/** A number with its noun: 1 root, 2 roots. */
export const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`

/** Durations for people. */
export const seconds = (milliseconds: number): string =>
  `${(milliseconds / 1000).toFixed(milliseconds < 10_000 ? 2 : 1)} s`
