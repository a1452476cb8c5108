import { basename } from 'node:path'
import { hostFiles, sharedLibraries } from '#image/index.ts'
import { failure } from '../../codes.ts'
import type { BindMount } from '../options.ts'
import { runTool } from '../prepare.ts'

/**
 * The last step inside the root of the image: this machine's shell, with what it loads, put where the image cannot
 * change it, gives the run tool its variables. The programs before it, which still have the machine's privileges
 * or files, see those variables only under other names: LD_PRELOAD from a bundle must not reach them. They are not
 * passed as arguments, which every user of the machine can read.
 */
export interface Starter {
  readonly mounts: readonly BindMount[]
  readonly args: readonly string[]
  /** What the first program is started with. */
  readonly environment: Readonly<Record<string, string>>
}

const prefix = 'SEALIFT_CARRY_'
const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/
// The names come from arguments, and are identifiers: nothing in them is read as a program.
const program = `
unset PWD OLDPWD
while [ "$#" -gt 0 ]; do
  eval "export $1=\\"\\\${${prefix}$1}\\""
  unset "${prefix}$1"
  shift
done
exec ${runTool}
`

/**
 * @param directory where its files go in the container: fresh, and nobody else's
 * @throws DRIVER_FAILED for a variable that no shell can name, and the codes of `sharedLibraries`
 */
export async function starter(
  sh: string,
  directory: string,
  environment: Readonly<Record<string, string>>,
): Promise<Starter> {
  const { elf, files } = await sharedLibraries(sh, hostFiles())
  const put = (from: string, name: string): BindMount => ({
    from,
    to: `${directory}/${name}`,
    readOnly: true,
  })
  const linker = files.find(({ to }) => to === elf.interpreter) ?? files[0]
  const libraries = files.filter((file) => file !== linker)
  const mounts = [
    put(sh, 'sh'),
    ...(linker ? [put(linker.from, 'ld')] : []),
    ...libraries.map(({ from, to }) => put(from, basename(to))),
  ]
  const carried: Record<string, string> = {}
  const names: string[] = []
  for (const [name, value] of Object.entries(environment)) {
    if (!identifier.test(name)) {
      throw failure(
        'DRIVER_FAILED',
        `no shell can pass on the variable ${JSON.stringify(name)}: use another driver`,
      )
    }
    names.push(name)
    carried[prefix + name] = value
  }
  return {
    mounts,
    args: [
      ...(linker ? [`${directory}/ld`, '--library-path', directory] : []),
      `${directory}/sh`,
      '-c',
      program,
      'sealift',
      ...names,
    ],
    environment: carried,
  }
}
