import { type Json, type Limits, limits } from '#base/index.ts'
import { tell } from '#base/shape/index.ts'
import { builtInActions } from '../bundle-rules.ts'
import type { CnabBundle } from '../bundle-schema.ts'
import { failure } from '../codes.ts'
import { type Definition, openDefinition } from '../definition/definition.ts'
import { coerceFile, coerceText } from './coerce.ts'

/** What somebody gave for a parameter: a text to be read by the definition's type, a file's bytes, or a value. */
export type GivenParameter =
  | { readonly text: string }
  | { readonly file: Uint8Array }
  | { readonly value: Json }

export interface ResolveOptions {
  /** Values of the last claim, for what is not given again. */
  readonly previous?: Readonly<Record<string, Json>> | undefined
  readonly bounds?: Limits
}

/**
 * The values of all parameters that apply to an action (103, parameters): given ones checked, then those of the
 * last claim, then defaults. A parameter that has none of these is not in the result, and reaches the run tool
 * as an empty text. What is given for a parameter of another action is checked and then left out.
 *
 * @throws PARAMETER_UNKNOWN, PARAMETER_MISSING, PARAMETER_INVALID, DEFINITION_INVALID, DEFINITION_TOO_COSTLY
 */
export function resolveParameters(
  bundle: CnabBundle,
  action: string,
  given: Readonly<Record<string, GivenParameter>>,
  { previous = {}, bounds = limits }: ResolveOptions = {},
): Record<string, Json> {
  const parameters = bundle.parameters ?? {}
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(parameters, name))
  if (unknown.length > 0) {
    throw failure(
      'PARAMETER_UNKNOWN',
      `the bundle has no parameter ${unknown.map((name) => JSON.stringify(name)).join(', ')}`,
      {
        detail: { parameters: unknown },
      },
    )
  }
  const values: Record<string, Json> = Object.create(null)
  const missing: string[] = []
  for (const [name, parameter] of Object.entries(parameters)) {
    const definition = openDefinition(bundle, parameter.definition, bounds)
    const supplied = Object.hasOwn(given, name)
      ? givenValue(name, given[name]!, definition, bounds)
      : Object.hasOwn(previous, name)
        ? previous[name]
        : undefined
    if (supplied !== undefined) check(name, supplied, definition)
    if (!appliesTo(parameter, action)) continue
    // 101: required means given, default or not.
    if (supplied === undefined && parameter.required === true) missing.push(name)
    const value = supplied ?? definition.default
    if (value === undefined) continue
    if (supplied === undefined) check(name, value, definition)
    values[name] = value
  }
  if (missing.length > 0) {
    throw failure('PARAMETER_MISSING', `${action} needs ${missing.join(', ')}`, {
      detail: { parameters: missing },
    })
  }
  return values
}

/** What a value is to the run tool: texts as they are, all else as JSON; nothing is the empty text (103). */
export function parameterText(value: Json | undefined): string {
  if (value === undefined) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** 101: without `applyTo`, it applies to every action. */
export const appliesTo = ({ applyTo }: { readonly applyTo?: readonly string[] }, action: string): boolean =>
  applyTo === undefined || applyTo.includes(action)

/** Whether an action changes what the bundle manages (101, 102): the built-in ones do. @throws ACTION_UNKNOWN */
export function actionTraits(bundle: CnabBundle, action: string): { modifies: boolean; stateless: boolean } {
  if ((builtInActions as readonly string[]).includes(action)) return { modifies: true, stateless: false }
  const actions = bundle.actions ?? {}
  const custom = Object.hasOwn(actions, action) ? actions[action] : undefined
  if (!custom) {
    const names = [...builtInActions, ...Object.keys(actions)].join(', ')
    throw failure('ACTION_UNKNOWN', `the bundle has no action ${JSON.stringify(action)}; it has ${names}`)
  }
  return { modifies: custom.modifies ?? false, stateless: custom.stateless ?? false }
}

/** The same values with what must not be shown replaced, for people, logs and `-o json`. */
export function shownParameters(
  bundle: CnabBundle,
  values: Readonly<Record<string, Json>>,
): Record<string, Json> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, isWriteOnly(bundle, name) ? '(hidden)' : value]),
  )
}

function isWriteOnly(bundle: CnabBundle, name: string): boolean {
  const parameter = bundle.parameters?.[name]
  // A value whose parameter is gone from the bundle is not known to be harmless.
  return !parameter || openDefinition(bundle, parameter.definition).writeOnly
}

function givenValue(name: string, given: GivenParameter, definition: Definition, bounds: Limits): Json {
  const size = 'text' in given ? given.text.length : 'file' in given ? given.file.length : 0
  if (size > bounds.parameterBytes) {
    throw failure(
      'PARAMETER_INVALID',
      `${name} has ${size} bytes, over the limit of ${bounds.parameterBytes}`,
    )
  }
  if ('text' in given) return coerceText(given.text, definition)
  return 'file' in given ? coerceFile(given.file, definition) : given.value
}

function check(name: string, value: Json, definition: Definition): void {
  const problems = definition.problems(value)
  if (problems.length === 0) return
  throw failure('PARAMETER_INVALID', `the value of ${name} does not fit: ${tell(problems)}`, {
    detail: { parameter: name, problems },
  })
}
