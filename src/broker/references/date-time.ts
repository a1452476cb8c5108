const pattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/

/** A moment as RFC 3339 writes it, or undefined. */
export function dateTime(text: string): Date | undefined {
  const time = new Date(pattern.test(text) ? text : Number.NaN)
  return Number.isNaN(time.getTime()) ? undefined : time
}
