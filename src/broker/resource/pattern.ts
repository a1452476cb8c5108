/**
 * Whether a text matches a pattern in which `*` stands for any characters, none included. Takes at most as many steps
 * as the product of both lengths, whatever the pattern.
 */
export function matchesText(pattern: string, text: string): boolean {
  let at = 0
  let read = 0
  let star = -1
  let starRead = 0
  while (read < text.length) {
    if (pattern[at] === '*') {
      star = at++
      starRead = read
    } else if (at < pattern.length && pattern[at] === text[read]) {
      at++
      read++
    } else if (star >= 0) {
      // The last star takes one character more; earlier ones need not change.
      at = star + 1
      read = ++starRead
    } else return false
  }
  while (pattern[at] === '*') at++
  return at === pattern.length
}

export const matchesAny = (patterns: string | readonly string[], text: string): boolean =>
  (typeof patterns === 'string' ? [patterns] : patterns).some((pattern) => matchesText(pattern, text))
