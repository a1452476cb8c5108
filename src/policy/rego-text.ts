// Looks at Rego as text, where no engine is needed: what stands outside of strings and comments.

/** A word of a policy with where it stands. Lines and columns count from 1. */
export interface Word {
  readonly text: string
  readonly line: number
  readonly column: number
  /** How many brackets are open around it. */
  readonly depth: number
  /** The first one of its line. */
  readonly first: boolean
  /** A round bracket follows: a call, or the head of a function. */
  readonly called: boolean
}

// Comments and both kinds of strings are matched, so that nothing inside of them is; then references with their dots
// and brackets. None of the alternatives can match in two ways.
const tokens =
  /#[^\n]*|`[^`]*`|"(?:[^"\\\n]|\\.)*"|[A-Za-z_][\w]*(?:\.[A-Za-z_]\w*|\["[\w.]*"\])*|[()[\]{}]|\n/g

/** References and names in the order in which they stand; `http["send"]` is told as `http.send`. */
export function* wordsOf(text: string): Generator<Word> {
  let line = 1
  let lineStart = 0
  let depth = 0
  let first = true
  for (const match of text.matchAll(tokens)) {
    const token = match[0]
    if (/^[A-Za-z_]/.test(token)) {
      const plain = token.replaceAll(/\["([^"]*)"\]/g, '.$1')
      yield {
        text: plain,
        line,
        column: match.index - lineStart + 1,
        depth,
        first,
        called: text[match.index + token.length] === '(',
      }
      first = false
    } else if ('([{'.includes(token)) depth++
    else if (')]}'.includes(token)) depth--
    for (let at = token.indexOf('\n'); at !== -1; at = token.indexOf('\n', at + 1)) {
      line++
      lineStart = match.index + at + 1
      first = true
    }
  }
}

/** A rule as a file declares it. */
export interface DeclaredRule {
  readonly name: string
  readonly line: number
}

const noRules = new Set(['package', 'import', 'else'])

/** The package of a file and its rules without functions, each once, in the order in which they stand; for files that parse. */
export function declarationsOf(text: string): {
  readonly package: string
  readonly rules: readonly DeclaredRule[]
} {
  const rules = new Map<string, DeclaredRule>()
  let name = ''
  let before = ''
  for (const word of wordsOf(text)) {
    if (before === 'package') name = word.text
    const isHead = (word.first && word.text !== 'default') || before === 'default'
    before = word.first ? word.text : ''
    if (!isHead || word.called || word.depth > 0 || noRules.has(word.text)) continue
    const rule = word.text.split('.')[0]!
    if (!rules.has(rule)) rules.set(rule, { name: rule, line: word.line })
  }
  return { package: name, rules: [...rules.values()] }
}
