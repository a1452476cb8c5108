import { resolve } from 'node:path'
import { limits } from '#base/index.ts'
import { failure } from './codes.ts'
import type { Context } from './context.ts'
import { readWhole } from './files.ts'
import type { PasswordFlags } from './flags.ts'

export interface PasswordQuestion {
  /** Whose password it is, for the question: `sealift.key`. */
  readonly of: string
  /** Ask twice: for a password that will be needed again and that nothing else can tell. */
  readonly confirm?: boolean
  /** Environment variables that are looked at where no flag is given. */
  readonly variables?: readonly string[]
}

const usualVariables = ['SEALIFT_PASSWORD', 'COSIGN_PASSWORD']

/**
 * A password from where the flags say, else from the environment, else from the terminal. An empty one is one too.
 *
 * @throws USAGE, PASSWORD_MISSING, PASSWORD_INVALID, INTERRUPTED, FILE_SYSTEM
 */
export async function readPassword(
  context: Context,
  { passwordEnv, passwordFile }: PasswordFlags,
  { of, confirm = false, variables = usualVariables }: PasswordQuestion,
): Promise<string> {
  if (passwordEnv !== undefined && passwordFile !== undefined) {
    throw failure('USAGE', '--password-env and --password-file exclude each other')
  }
  if (passwordFile !== undefined) return await inFile(resolve(context.cwd, passwordFile))
  if (passwordEnv !== undefined) {
    const password = context.env[passwordEnv]
    if (password === undefined) throw failure('USAGE', `the environment has no variable ${passwordEnv}`)
    return bounded(password)
  }
  for (const name of variables) {
    const password = context.env[name]
    if (password !== undefined) return bounded(password)
  }
  return await asked(context, of, confirm)
}

async function inFile(path: string): Promise<string> {
  const bytes = await readWhole(path, limits.passwordBytes + 2)
  return bounded(
    Buffer.from(bytes)
      .toString()
      .replace(/\r?\n$/, ''),
  )
}

async function asked({ askHidden }: Context, of: string, confirm: boolean): Promise<string> {
  const password = await askHidden?.(`${confirm ? 'New password' : 'Password'} of ${of}: `)
  if (password === undefined) {
    throw failure('PASSWORD_MISSING', `${of} needs a password, and there is no terminal to ask at`)
  }
  if (confirm && (await askHidden?.('The same again: ')) !== password) {
    throw failure('PASSWORD_INVALID', 'the two passwords are not the same')
  }
  return bounded(password)
}

function bounded(password: string): string {
  if (Buffer.byteLength(password) <= limits.passwordBytes) return password
  throw failure('PASSWORD_INVALID', `a password has at most ${limits.passwordBytes} bytes`)
}
