import { existsSync } from 'node:fs'
import { failure } from '../../codes.ts'
import { collectOutputs } from '../../runtime/collect-outputs.ts'
import type { Driver, Operation, OperationResult } from '../../runtime/operation.ts'
import type { LocalDriverOptions } from '../options.ts'
import { prepareLaunch } from '../prepare.ts'
import { runProcess } from '../run-process.ts'
import { sweep, WorkFolder } from '../work-folder.ts'
import { detectNamespaces } from './detect.ts'
import { launchCommand } from './launch.ts'

/**
 * Runs invocation images with no container engine: `unshare` of util-linux, in a mount namespace of its own (and a
 * user namespace where this process is not root), with the unpacked image as its root.
 *
 * It separates files and privileges; processes and the network are the machine's. A process that the run tool
 * leaves behind goes on living, on purpose: where there is no engine, the application is such a process. It must
 * not write to the run tool's standard output, which ends with the run.
 */
export class NamespacesDriver implements Driver {
  readonly name = 'namespaces'
  readonly imageTypes = ['oci', 'docker']
  readonly #options: LocalDriverOptions

  constructor(options: LocalDriverOptions) {
    this.#options = options
  }

  async run(operation: Operation, signal: AbortSignal): Promise<OperationResult> {
    const { available, why, tools } = detectNamespaces()
    if (!available || !tools)
      throw failure('DRIVER_UNAVAILABLE', `the driver ${this.name} cannot work here: ${why}`)
    const { workDirectory, timeoutMs, graceMs, limits } = this.#options
    sweep(workDirectory)
    await using folder = WorkFolder.make(workDirectory)
    const launch = await prepareLaunch(operation, folder, { ...this.#options, sharesNetwork: true }, signal)
    if (tools.rootless && launch.user.uid !== 0) {
      throw failure(
        'DRIVER_FAILED',
        'the image wants to run as another user than root, which needs root here',
      )
    }
    let complaint = ''
    const exitCode = await runProcess(
      {
        ...(await launchCommand(launch, folder.namespaceNote, tools)),
        onLog: (event) => {
          if (event.stream === 'stderr') complaint = Buffer.from(event.bytes).toString().trim().slice(-500)
          return operation.onLog?.(event)
        },
        timeoutMs,
        graceMs,
      },
      signal,
    )
    if (exitCode !== 0 && !existsSync(`${folder.namespaceNote}.launched`)) {
      throw failure('DRIVER_FAILED', `the mounts of the run tool could not be made: ${complaint}`)
    }
    return { exitCode, outputs: await collectOutputs(folder.outputs, operation.outputs, limits) }
  }
}
