import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Output, Workbench } from './workbench.ts'

/** A container engine with all of its state in the bench's folder. */
export interface Engine {
  run(...args: readonly string[]): Promise<Output>
}

/** containerd with `ctr`; `hosts` are the registries that it may ask over plain HTTP, through certs.d/hosts.toml. */
export class Containerd implements Engine {
  readonly socket: string
  readonly #bench: Workbench
  readonly #hosts: string

  private constructor(bench: Workbench, socket: string, hosts: string) {
    this.#bench = bench
    this.socket = socket
    this.#hosts = hosts
  }

  static async start(bench: Workbench): Promise<Containerd> {
    const folder = bench.fresh('containerd')
    mkdirSync(join(folder, 'certs.d'), { recursive: true })
    const socket = join(folder, 'containerd.sock')
    writeFileSync(
      join(folder, 'config.toml'),
      [
        'version = 2',
        `root = "${join(folder, 'root')}"`,
        `state = "${join(folder, 'state')}"`,
        'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
        `[grpc]\naddress = "${socket}"`,
        `[plugins."io.containerd.internal.v1.opt"]\npath = "${join(folder, 'opt')}"`,
      ].join('\n'),
    )
    const engine = new Containerd(bench, socket, join(folder, 'certs.d'))
    const ready = async () => (await engine.run('version')).stdout.includes('Server:')
    await bench.daemon('containerd', ['--config', join(folder, 'config.toml')], ready)
    return engine
  }

  /** Says in certs.d how a registry is reached, by which CA, and where its content may be had instead. */
  host(registry: string, server = `http://${registry}`, ca?: string): void {
    const folder = join(this.#hosts, registry)
    mkdirSync(folder, { recursive: true })
    const host = [`[host."${server}"]`, 'capabilities = ["pull", "resolve", "push"]']
    if (ca !== undefined) host.push(`ca = "${ca}"`)
    writeFileSync(join(folder, 'hosts.toml'), [`server = "${server}"`, ...host, ''].join('\n'))
  }

  run(...args: readonly string[]): Promise<Output> {
    return this.#bench.run('ctr', ['--address', this.socket, ...args])
  }

  /** The option by which `ctr` finds certs.d. */
  get hosts(): string {
    return `--hosts-dir=${this.#hosts}`
  }

  /** The digest behind the name of an image. */
  async digest(name: string): Promise<string | undefined> {
    const { stdout } = await this.run('images', 'list', `name==${name}`)
    return /sha256:[0-9a-f]{64}/.exec(stdout)?.[0]
  }
}

/** dockerd on a containerd of its own, without networks of its own; registries on loopback may be plain HTTP. */
export class Docker implements Engine {
  readonly #bench: Workbench
  readonly #host: string

  private constructor(bench: Workbench, host: string) {
    this.#bench = bench
    this.#host = host
  }

  static async start(bench: Workbench, containerd: Containerd): Promise<Docker> {
    const folder = bench.fresh('docker')
    mkdirSync(folder)
    // Without an apparmor profile of its own, that not every machine lets it load.
    writeFileSync(join(folder, 'daemon.json'), '{}')
    const host = `unix://${join(folder, 'docker.sock')}`
    const engine = new Docker(bench, host)
    const ready = async () => (await engine.run('version', '--format', '{{.Server.Version}}')).stdout !== ''
    await bench.daemon(
      'dockerd',
      [
        ...['--iptables=false', '--bridge=none', '--storage-driver=overlay2', '--host', host],
        ...['--config-file', join(folder, 'daemon.json'), '--pidfile', join(folder, 'docker.pid')],
        ...['--data-root', join(folder, 'root'), '--exec-root', join(folder, 'exec')],
        ...['--containerd', containerd.socket],
      ],
      ready,
    )
    return engine
  }

  run(...args: readonly string[]): Promise<Output> {
    return this.#bench.run('docker', ['--host', this.#host, ...args], {
      env: { DOCKER_CONFIG: this.#bench.path('docker-config') },
    })
  }
}
