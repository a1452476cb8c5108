const units: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }

/** A moment: RFC 3339 in UTC, or so long from now (`30m`, `12h`, `90d`, `4w`). @throws SyntaxError */
export function parseMoment(text: string): (now: Date) => Date {
  const [, number, unit] = /^([1-9]\d{0,4})([mhdw])$/.exec(text) ?? []
  if (number !== undefined && unit !== undefined) {
    const ms = Number(number) * units[unit]!
    return (now) => new Date(now.getTime() + ms)
  }
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,3})?Z$/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(time))
    throw new SyntaxError(`${text} is neither a time (2026-12-31T00:00:00Z) nor 30m, 12h, 90d or 4w`)
  return () => new Date(time)
}

/** As records and statements write it: UTC with milliseconds. */
export const momentText = (moment: Date): string => moment.toISOString()
