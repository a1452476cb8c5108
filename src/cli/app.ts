import { buildApplication, ExitCode, run, text_en } from '@stricli/core'
import { baseFailure } from '#base/index.ts'
import type { Context } from './context.ts'
import { exitCodeOf, exitCodes } from './exit-code.ts'
import { routes } from './routes.ts'
import { explain } from './shell/errors.ts'
import { version } from './version.ts'

/** The whole command line as one application, for running, for completion and for the generated documents. */
export function application(context: Pick<Context, 'process' | 'env'>) {
  return buildApplication<Context>(routes, {
    name: 'sealift',
    versionInfo: { currentVersion: version },
    scanner: { caseStyle: 'allow-kebab-for-camel', allowArgumentEscapeSequence: true },
    documentation: {
      disableAnsiColor: true,
      caseStyle: 'convert-camel-to-kebab',
      useAliasInUsageLine: true,
      onlyRequiredInUsageLine: true,
    },
    localization: {
      text: {
        ...text_en,
        exceptionWhileRunningCommand: (error) => explain(context, error),
        exceptionWhileLoadingCommandFunction: (error) => explain(context, error),
      },
    },
    determineExitCode: exitCodeOf,
  })
}

/** Runs one command line in a context, whose process gets the exit code. */
export async function runCommandLine(args: readonly string[], context: Context): Promise<void> {
  await run(application(context), args.length === 0 ? ['--help'] : args, context)
  const { exitCode } = context.process
  if (typeof exitCode !== 'number' || exitCode >= 0) return
  // stricli's own: what was written does not parse; all others are faults of the program.
  const isUsage = exitCode === ExitCode.InvalidArgument || exitCode === ExitCode.UnknownCommand
  context.process.exitCode = isUsage ? exitCodes.usage : exitCodes.failure
}

/** Runs the command line of this process. */
export async function main(args: readonly string[]): Promise<void> {
  const stop = new AbortController()
  const interrupt = (name: NodeJS.Signals) => {
    // The second time there is no waiting for what is under way.
    if (stop.signal.aborted) process.exit(exitCodes.interrupted)
    stop.abort(baseFailure('INTERRUPTED', `stopped by ${name}`))
  }
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt)
  // A reader that went away (`sealift ls | head`) is no failure.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(exitCodes.done)
    throw error
  })
  await runCommandLine(args, {
    process: process as Context['process'],
    env: process.env,
    cwd: process.cwd(),
    askHidden: async (question) => (await import('./shell/terminal.ts')).askHidden(question, stop.signal),
    signal: stop.signal,
  })
}
