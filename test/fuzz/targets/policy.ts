import { compilePolicy, decide, parseTrustPolicy, starterPolicy } from '#policy/index.ts'
import type { FuzzTarget } from '../targets.ts'

const [{ text: starter }] = starterPolicy('registry.example/shop/**')
const at = new Date(0)
const text = (input: Uint8Array): string => new TextDecoder().decode(input)
const readFile = () => Promise.resolve(new Uint8Array())
/** Little, so that an input that takes all of it does not take a second. */
const limits = { instructions: 200_000_000, memoryBytes: 32 * 1024 * 1024 }
const nobody = {
  action: 'install',
  environment: 'production',
  principal: { kind: 'anonymous', name: '', groups: [], roles: [] },
  subjects: [],
}

export const policyTargets: readonly FuzzTarget[] = [
  {
    name: 'trust-policy',
    corpus: [
      starter,
      'apiVersion: sealift.dev/v1\nkind: TrustPolicy\nname: a\nrules: [{content: "**", unsigned: true}]\n',
    ],
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
      '\n  ',
      '---\n',
      'from:',
      'key:',
      '(',
      '"',
    ],
    async run(input) {
      const { policy, keys } = await parseTrustPolicy(text(input), { path: 'policy.yaml', readFile })
      // Without a subject nothing may be let in, whatever the rules are.
      if (decide(policy, nobody, at, limits).allowed) throw new Error('nothing was let in')
      return keys.length
    },
  },
  {
    name: 'rego',
    corpus: [
      'package sealift\n\ndecision := {"allow": count(input.subjects) > 0}\n',
      'package sealift\n\ndefault allow := false\n\nallow if {\n\tsome s in input.subjects\n\ts.ok\n}\n\ndecision := {"allow": allow}\n',
    ],
    words: [
      'if {',
      '}',
      ':=',
      'some ',
      ' in ',
      'every ',
      'with ',
      'default ',
      'contains ',
      '[x | ',
      '"',
      '`',
      '#',
      'not ',
      '(',
      '{',
    ],
    run(input) {
      const policy = compilePolicy([{ path: 'a.rego', text: text(input) }])
      const first = decide(policy, nobody, at, limits)
      const second = decide(policy, nobody, at, limits)
      if (JSON.stringify(first) !== JSON.stringify(second))
        throw new Error('the same question, another answer')
      return `${first.allowed} ${first.reasons[0]?.code}`
    },
  },
]
