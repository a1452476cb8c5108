import { tell } from '#base/shape/index.ts'
import type { CnabBundle } from '../bundle-schema.ts'
import { failure } from '../codes.ts'
import { openDefinition } from '../definition/definition.ts'
import { coerceText } from '../inputs/coerce.ts'
import { parameterText } from '../inputs/resolve-parameters.ts'

/**
 * The outputs of an action as they are to be kept: those written, checked against their definitions, and defaults
 * for those not written (101, 103).
 *
 * @param expected names of the outputs that apply to the action
 * @throws OUTPUT_MISSING, OUTPUT_INVALID; never with a value in them
 */
export function checkOutputs(
  bundle: CnabBundle,
  expected: Iterable<string>,
  written: ReadonlyMap<string, Uint8Array>,
): Map<string, Uint8Array> {
  const outputs = new Map<string, Uint8Array>()
  for (const name of expected) {
    const definition = openDefinition(bundle, bundle.outputs?.[name]?.definition ?? '')
    const bytes = written.get(name)
    if (!bytes) {
      if (definition.default === undefined) {
        throw failure('OUTPUT_MISSING', `the run tool did not write the output ${name}`, {
          detail: { output: name },
        })
      }
      outputs.set(name, Buffer.from(parameterText(definition.default)))
      continue
    }
    // A line break at the end is what `echo` adds to a number; in a text it belongs to the value.
    const text = new TextDecoder().decode(bytes)
    const value = definition.types.includes('string') ? text : coerceText(text.trim(), definition)
    const problems = definition.problems(value)
    if (problems.length > 0) {
      throw failure('OUTPUT_INVALID', `the output ${name} does not fit its definition: ${tell(problems)}`, {
        detail: { output: name, problems },
      })
    }
    outputs.set(name, bytes)
  }
  return outputs
}
