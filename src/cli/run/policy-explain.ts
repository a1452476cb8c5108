import { resolve } from 'node:path'
import { parseJson, policyLimits } from '#base/index.ts'
import { explain, type Reason, trustRule } from '#policy/index.ts'
import { failure } from '../codes.ts'
import type { PolicyExplainFlags } from '../commands/policy-explain.ts'
import type { Context } from '../context.ts'
import { readWhole } from '../files.ts'
import { readPolicyAt } from '../policy-files.ts'
import { openSession } from '../session.ts'
import { paint } from '../shell/paint.ts'
import { oneLine, print } from '../shell/print.ts'

/** What trust.rego says of each subject. */
interface JudgedSubject {
  readonly reference: string
  readonly digest: string
  readonly rule: string | null
  readonly problems: readonly Reason[]
  readonly counted: readonly { readonly digest: string; readonly by: string; readonly type: string }[]
}

export async function run(this: Context, flags: PolicyExplainFlags, path: string): Promise<void> {
  await using session = await openSession(this, flags)
  const { policy } = await readPolicyAt(resolve(this.cwd, path))
  const bytes = await readWhole(resolve(this.cwd, flags.evidence), policyLimits.bytes)
  const at = flags.at === undefined ? new Date() : new Date(flags.at)
  if (Number.isNaN(at.getTime()) || (flags.at && !flags.at.endsWith('Z'))) {
    throw failure('USAGE', `--at ${flags.at} is not a time such as 2026-05-01T12:00:00Z`)
  }
  const { decision, rules } = explain(policy, parseJson(bytes, { maxBytes: policyLimits.bytes }), at)
  const { allowed, reasons, outputs, validUntil } = decision
  // In the small form all rules are ours; what matters is what they came to.
  const isTrust = policy.rule === trustRule
  const shown = isTrust ? [] : rules
  const facts = { allowed, reasons, outputs, ...(validUntil && { validUntil }), at, policy: policy.digest }
  print(this, session.format, { ...facts, rules: shown }, () => {
    const color = paint(this, this.process.stdout)
    const subjects = isTrust
      ? ((outputs as { subjects?: readonly JudgedSubject[] } | null)?.subjects ?? [])
      : []
    return [
      `${allowed ? color.green('yes') : color.red('no')}${validUntil ? ` until ${validUntil.toISOString()}` : ''}`,
      ...reasons.flatMap(({ code, message, remedy }) => [
        `  ${code}: ${oneLine(message)}`,
        ...(remedy ? [`    to make it yes: ${oneLine(remedy)}`] : []),
      ]),
      ...subjects.flatMap(({ reference, digest, rule, problems, counted }) => [
        `${problems.length === 0 ? 'good' : 'not good'}  ${oneLine(reference)} ${digest}`,
        `  by ${rule ?? 'no rule'}`,
        ...counted.map(
          (proof) => `  counted: ${proof.digest} by ${oneLine(proof.by)} (${oneLine(proof.type)})`,
        ),
      ]),
      ...shown.map(({ name, file, line, value, error }) => {
        const came = error ? `failed: ${error}` : value === undefined ? 'has no value' : JSON.stringify(value)
        return `${file}:${line}  ${name}  ${oneLine(came.length > 200 ? `${came.slice(0, 200)}...` : came)}`
      }),
    ].join('\n')
  })
  if (!allowed) throw failure('NOT_ADMITTED', 'the policy says no to this evidence')
}
