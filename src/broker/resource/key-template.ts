import { isKeyName } from '../stores/secret-key.ts'
import { failure } from './codes.ts'
import type { ResourceDescription } from './types.ts'

export const defaultKey = 'resource/{repository}/{type}/{tag}'

const names = ['repository', 'type', 'tag'] as const
type Part =
  | { readonly kind: 'plain'; readonly name: string }
  | { readonly kind: 'name'; readonly name: (typeof names)[number] }
  | { readonly kind: 'fact'; readonly name: string }

/** How the resources of a store become its keys, and back. Each part fills one whole name: no two give one key. */
export interface KeyTemplate {
  readonly parts: readonly Part[]
}

/** @returns why it is none, where it is none */
export function parseKeyTemplate(text: string): KeyTemplate | string {
  const parts: Part[] = []
  for (const piece of text.split('/')) {
    const inner = piece.startsWith('{') && piece.endsWith('}') ? piece.slice(1, -1) : undefined
    const name = names.find((known) => known === inner)
    const fact = inner?.startsWith('facts.') ? inner.slice(6) : undefined
    if (name) parts.push({ kind: 'name', name })
    else if (fact !== undefined && isKeyName(fact)) parts.push({ kind: 'fact', name: fact })
    else if (isKeyName(piece)) parts.push({ kind: 'plain', name: piece })
    else return `${JSON.stringify(piece)} is neither a name nor {repository}, {type}, {tag} or {facts.NAME}`
  }
  for (const name of names) {
    const count = parts.filter((part) => part.kind === 'name' && part.name === name).length
    if (count !== 1) return `it must hold {${name}} once`
  }
  return { parts }
}

/** The key of a resource. @throws RESOURCE_FACT_INVALID where a fact that is part of it is missing or no name */
export function keyOf({ parts }: KeyTemplate, description: ResourceDescription): string {
  return parts
    .map((part) => {
      if (part.kind === 'plain') return part.name
      if (part.kind === 'name') return description[part.name]
      const fact = description.facts[part.name]
      if (fact === undefined || !isKeyName(fact)) {
        const why = fact === undefined ? 'missing' : 'no name'
        throw failure(
          'RESOURCE_FACT_INVALID',
          `the fact ${part.name} is ${why}, and the resource lies under it`,
        )
      }
      return fact
    })
    .join('/')
}

/** What lies under a key; undefined where it is not a resource of this template. */
export function resourceOf(
  { parts }: KeyTemplate,
  key: string,
): Omit<ResourceDescription, 'query'> | undefined {
  const pieces = key.split('/')
  if (pieces.length !== parts.length) return undefined
  const found = { repository: '', type: '', tag: '' }
  const facts: Record<string, string> = Object.create(null)
  for (const [at, part] of parts.entries()) {
    const piece = pieces[at]!
    if (part.kind === 'plain' && part.name !== piece) return undefined
    if (part.kind === 'name') found[part.name] = piece
    if (part.kind === 'fact') facts[part.name] = piece
  }
  return { ...found, facts }
}

/** With what every key of the template begins, of a repository where that follows at once. */
export function keyPrefix({ parts }: KeyTemplate, repository?: string): string {
  const plain = parts.findIndex(({ kind }) => kind !== 'plain')
  const head = parts.slice(0, plain).map(({ name }) => name)
  const next = parts[plain]
  if (repository !== undefined && next?.kind === 'name' && next.name === 'repository') head.push(repository)
  return head.map((name) => `${name}/`).join('')
}
