import type { Policy } from '#policy/index.ts'

/** What policies call, by the name that Trustee gave it. */
export const queryName = 'query_reference_value'

/**
 * Where the reference values stand in the policy's input. They are evidence like all else, so that an appraisal is a
 * function of what was recorded, and a change of one does not compile the policy anew.
 */
export const referenceMember = 'sealift.reference-values'

/** The file of every policy that has its definition. */
export const queryPath = 'sealift/reference-values.rego'

const known = new WeakMap<Policy, ReadonlySet<string> | undefined>()

/**
 * The names of the reference values that a policy can ask for, or undefined where its text alone does not tell: a
 * broker may know thousands of values, and a policy asks for a few. Comments count as well: they ask for too much.
 */
export function askedValues(policy: Policy): ReadonlySet<string> | undefined {
  if (known.has(policy)) return known.get(policy)
  const names = namesIn(policy)
  known.set(policy, names)
  return names
}

const name = new RegExp(queryName, 'g')
const literal = /\(\s*(?:"([^"\\\n]*)"|`([^`]*)`)\s*\)/y

function namesIn({ files }: Policy): ReadonlySet<string> | undefined {
  const names = new Set<string>()
  for (const { path, text } of files) {
    if (path === queryPath) continue
    if (text.includes(referenceMember)) return undefined
    for (const { index } of text.matchAll(name)) {
      literal.lastIndex = index + queryName.length
      const found = literal.exec(text)
      // Another name for the function, or one that is put together at run time.
      if (!found) return undefined
      names.add(found[1] ?? found[2] ?? '')
    }
  }
  return names
}
