import { anonymousPrincipal, mayDo, parseAccessRules, parsePrincipal, verbs } from '#access/index.ts'
import type { FuzzTarget } from '../targets.ts'

const rules = `version: 1
groups: {release: [user:ada, key:00ff]}
grants:
  - {role: releaser, to: [group:release], repositories: [shop/*]}
  - {role: operator, to: ["*", anonymous], repositories: ["**"]}
`
const hostile = ['..', 'shop/../web', 'shop//web', 'Shop/web', 'shop%2fweb', '/shop', '', 'shop/web\n']

export const accessTargets: readonly FuzzTarget[] = [
  {
    name: 'access-rules',
    corpus: [rules, 'version: 1\ngrants: []\n', JSON.stringify({ version: 1, grants: [] })],
    words: [
      '- ',
      ': ',
      '[',
      '{',
      '*',
      '**',
      '&a ',
      '*a',
      '!!',
      '<<: ',
      '|',
      '\n  ',
      '---\n',
      'owner',
      'user:',
      '"',
    ],
    run(input) {
      const parsed = parseAccessRules(new TextDecoder().decode(input))
      for (const verb of verbs) {
        for (const name of hostile) {
          if (mayDo(parsed, anonymousPrincipal, verb, name)) throw new Error(`${verb} is allowed in ${name}`)
        }
      }
      return mayDo(parsed, parsePrincipal('user:ada'), 'push', 'shop/web')
    },
  },
]
