import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** Runs the public commands in one folder: each is printed, timed, and must succeed. */
export class Stage {
  readonly times: [string, number][] = []
  readonly #sealift: string
  readonly #folder: string
  readonly #servers: ChildProcess[] = []

  constructor(sealift: string, folder: string) {
    this.#sealift = sealift
    this.#folder = folder
  }

  title(text: string): void {
    console.log(`\n${text}`)
  }

  /** Resolves with what the command wrote to stdout. */
  async run(args: readonly string[], shown = true): Promise<string> {
    console.log(`$ sealift ${args.join(' ')}`)
    const begun = performance.now()
    const child = this.#spawn(args)
    let output = ''
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve))
    this.times.push([`${args[0]}${args[0] === 'registry' ? ` ${args[1]}` : ''}`, performance.now() - begun])
    const isData = args.includes('json')
    if (shown && !isData && output.trim() !== '') console.log(output.trimEnd().replace(/^/gm, '  '))
    if (code !== 0) throw new Error(`sealift ${args[0]} ended with ${code}`)
    return output
  }

  /** Starts a server; resolves with its HOST:PORT, which is the first line it prints. */
  async serve(args: readonly string[]): Promise<string> {
    console.log(`$ sealift ${args.join(' ')} &`)
    const begun = performance.now()
    const child = this.#spawn(args)
    this.#servers.push(child)
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
    const line = await new Promise<string>((resolve, reject) => {
      lines.once('line', resolve)
      child.once('exit', (code) => reject(new Error(`sealift ${args[0]} ended with ${code}`)))
    })
    const { registry } = JSON.parse(line) as { registry: string }
    this.times.push([args.slice(0, args[0] === 'registry' ? 2 : 1).join(' '), performance.now() - begun])
    console.log(`  at ${registry}`)
    return registry
  }

  async stopServers(): Promise<void> {
    for (const child of this.#servers.splice(0)) {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      if (child.exitCode === null && child.kill('SIGTERM')) await ended
    }
  }

  #spawn(args: readonly string[]): ChildProcess {
    return spawn(this.#sealift, args, { cwd: this.#folder, stdio: ['ignore', 'pipe', 'inherit'] })
  }
}
