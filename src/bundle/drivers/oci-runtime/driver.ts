import { execFile } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { failure } from '../../codes.ts'
import { collectOutputs } from '../../runtime/collect-outputs.ts'
import type { Driver, Operation, OperationResult } from '../../runtime/operation.ts'
import type { LocalDriverOptions } from '../options.ts'
import { prepareLaunch } from '../prepare.ts'
import { runProcess } from '../run-process.ts'
import { sweep, WorkFolder } from '../work-folder.ts'
import { type ResourceLimits, runtimeConfig } from './config.ts'
import { detectOciRuntime } from './detect.ts'

export interface OciRuntimeOptions extends LocalDriverOptions {
  /** Names or paths of runtimes, the first that works is used; runc and crun where it is not said. */
  readonly runtimes?: readonly string[]
  /** The machine's network, which a run tool needs to reach a registry on loopback; so it is where not said. */
  readonly hostNetwork?: boolean
  readonly resources?: ResourceLimits
}

/**
 * Runs invocation images with runc or crun: namespaces of its own (but for the network, by option), dropped
 * capabilities, no new privileges, masked paths. What the run tool leaves behind ends with it.
 */
export class OciRuntimeDriver implements Driver {
  readonly name = 'oci-runtime'
  readonly imageTypes = ['oci', 'docker']
  readonly #options: OciRuntimeOptions

  constructor(options: OciRuntimeOptions) {
    this.#options = options
  }

  async run(operation: Operation, signal: AbortSignal): Promise<OperationResult> {
    const {
      workDirectory,
      timeoutMs,
      graceMs,
      limits,
      hostNetwork = true,
      resources,
      runtimes,
    } = this.#options
    const { available, why, tools } = detectOciRuntime(runtimes)
    if (!available || !tools)
      throw failure('DRIVER_UNAVAILABLE', `the driver ${this.name} cannot work here: ${why}`)
    sweep(workDirectory)
    await using folder = WorkFolder.make(workDirectory)
    const launch = await prepareLaunch(
      operation,
      folder,
      { ...this.#options, sharesNetwork: hostNetwork },
      signal,
    )
    const uid = process.getuid?.() ?? 0
    if (uid !== 0 && launch.user.uid !== 0) {
      throw failure(
        'DRIVER_FAILED',
        'the image wants to run as another user than root, which needs root here',
      )
    }
    if (resources && tools.flags.length > 0) {
      throw failure('DRIVER_UNAVAILABLE', `${tools.runtime} works here only without resource limits`)
    }
    const config = runtimeConfig(launch, {
      hostNetwork,
      ...(resources && { resources }),
      ...(uid !== 0 && { rootless: { uid, gid: process.getgid?.() ?? uid } }),
    })
    // Beside the secrets: the variables in it may be credentials.
    writeFileSync(join(folder.stage, 'config.json'), JSON.stringify(config), { mode: 0o600, flag: 'wx' })
    const id = `sealift-${basename(folder.path)}`
    const log = join(folder.path, 'runtime.log')
    const base = [
      ...tools.flags,
      '--root',
      join(folder.path, 'runtime'),
      '--log',
      log,
      '--log-format',
      'json',
    ]
    const command = (...args: string[]) => finished(tools.runtime, [...base, ...args])
    try {
      const exitCode = await runProcess(
        {
          command: tools.runtime,
          args: [...base, 'run', '--bundle', folder.stage, id],
          environment: { PATH: process.env.PATH ?? '/usr/sbin:/usr/bin:/sbin:/bin' },
          onLog: operation.onLog,
          timeoutMs,
          graceMs,
          afterKill: () => command('kill', id, 'KILL'),
        },
        signal,
      )
      const why = exitCode === 0 ? undefined : lastError(log)
      if (why) throw failure('DRIVER_FAILED', `${tools.runtime} could not run the image: ${why}`)
      return { exitCode, outputs: await collectOutputs(folder.outputs, operation.outputs, limits) }
    } finally {
      await command('delete', '--force', id)
    }
  }
}

/** What the runtime itself complained of, which tells its own failure from an exit code of the run tool. */
function lastError(log: string): string | undefined {
  const lines = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []
  for (const line of lines.toReversed()) {
    const { level, msg } = (/^\{.*\}$/.test(line) ? JSON.parse(line) : {}) as { level?: string; msg?: string }
    if (level === 'error' || level === 'fatal') return msg
  }
  return undefined
}

/** Waits for a clean-up that may have nothing left to do. */
function finished(command: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve) => {
    execFile(command, args, () => resolve())
  })
}
