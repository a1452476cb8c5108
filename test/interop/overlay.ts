// Real Nebula nodes, each in a network namespace of its own, with a bridge in yet another one between them.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { findPeer } from './peers.ts'
import type { Workbench } from './workbench.ts'
import { run } from './workbench.ts'

const port = 4242
const waitMs = 30_000

/** Why there can be no overlay here, or undefined: namespaces take root, and Nebula's packets a tun device. */
export function noOverlay(): string | undefined {
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK)
  } catch {
    return 'NOT TESTED: there is no /dev/net/tun that can be opened'
  }
  return process.getuid?.() === 0 ? undefined : 'NOT TESTED: network namespaces are made by root'
}

/** What a node is told by its broker, in PEM. */
export interface Identity {
  readonly certificate: string
  readonly key: string
  readonly authorities: string
}

/** The cable between all nodes: 192.168.77.0/24, which nothing else here sees. */
export class Underlay {
  readonly #bench: Workbench
  readonly #prefix: string
  #nodes = 0

  private constructor(bench: Workbench, name: string) {
    this.#bench = bench
    this.#prefix = `sl${process.pid}-${name}`
  }

  /** @param name what tells it apart from others of this process */
  static async open(bench: Workbench, name: string): Promise<Underlay> {
    const underlay = new Underlay(bench, name)
    const bridge = await underlay.namespace('br')
    await ip('-n', bridge, 'link', 'add', 'br0', 'type', 'bridge')
    await ip('-n', bridge, 'link', 'set', 'br0', 'up')
    return underlay
  }

  /** A namespace that goes when the workbench does. */
  async namespace(name: string): Promise<string> {
    const whole = `${this.#prefix}-${name}`
    await ip('netns', 'add', whole)
    this.#bench.onClose(() => ip('netns', 'del', whole))
    return whole
  }

  async node(name: string, peer: 'nebula' | 'nebula-1.6'): Promise<NebulaNode> {
    const namespace = await this.namespace(name)
    const number = ++this.#nodes
    const bridge = `${this.#prefix}-br`
    const cable = `v${number}`
    await ip('-n', bridge, 'link', 'add', cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace)
    await ip('-n', bridge, 'link', 'set', cable, 'master', 'br0', 'up')
    await ip('-n', namespace, 'addr', 'add', `192.168.77.${number}/24`, 'dev', 'eth0')
    for (const device of ['lo', 'eth0']) await ip('-n', namespace, 'link', 'set', device, 'up')
    const folder = this.#bench.fresh(name)
    mkdirSync(folder)
    const node = new NebulaNode(name, findPeer(peer)!, namespace, `192.168.77.${number}`, folder)
    this.#bench.onClose(() => node.stop())
    return node
  }
}

/** One node. What it is told are files, which it reads again when it is signalled. */
export class NebulaNode {
  readonly name: string
  readonly underlay: string
  readonly #program: string
  readonly #namespace: string
  readonly #folder: string
  #child: ChildProcess | undefined
  #log = ''

  constructor(name: string, program: string, namespace: string, underlay: string, folder: string) {
    this.name = name
    this.#program = program
    this.#namespace = namespace
    this.underlay = underlay
    this.#folder = folder
  }

  get log(): string {
    return this.#log
  }

  path = (name: string) => join(this.#folder, name)

  setIdentity({ certificate, key, authorities }: Identity): void {
    writeFileSync(this.path('node.crt'), certificate)
    writeFileSync(this.path('node.key'), key)
    this.setAuthorities(authorities)
  }

  setAuthorities(pem: string): void {
    writeFileSync(this.path('ca.crt'), pem)
  }

  /** @param configuration a part of Nebula's own, as the broker gives it: JSON is YAML */
  setBlocklist(configuration: string): void {
    writeFileSync(join(this.#folder, 'config', 'blocklist.yml'), configuration)
  }

  /** @param lighthouse the node that tells where the others are, and its address in the overlay; itself where absent */
  async start(lighthouse?: { readonly node: NebulaNode; readonly address: string }): Promise<void> {
    mkdirSync(join(this.#folder, 'config'), { recursive: true })
    const hosts = lighthouse ? { [lighthouse.address]: [`${lighthouse.node.underlay}:${port}`] } : {}
    const configuration = {
      pki: {
        ca: this.path('ca.crt'),
        cert: this.path('node.crt'),
        key: this.path('node.key'),
        // Before 1.10 a certificate that was revoked lasts in its tunnels where nothing is said.
        disconnect_invalid: true,
      },
      static_host_map: hosts,
      lighthouse: { am_lighthouse: !lighthouse, interval: 2, hosts: Object.keys(hosts) },
      listen: { host: this.underlay, port },
      tun: { dev: 'nebula1', mtu: 1300 },
      timers: { connection_alive_interval: 1, pending_deletion_interval: 2 },
      firewall: {
        outbound: [{ port: 'any', proto: 'any', host: 'any' }],
        inbound: [{ port: 'any', proto: 'any', host: 'any' }],
      },
    }
    writeFileSync(join(this.#folder, 'config', 'config.yml'), JSON.stringify(configuration))
    const command = ['netns', 'exec', this.#namespace, this.#program, '-config', join(this.#folder, 'config')]
    this.#log = ''
    const child = spawn(findPeer('ip')!, command, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        this.#log += chunk
      })
    await this.#until(() => /Nebula interface is active/.test(this.#log), 'is up')
  }

  async stop(): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  }

  /** Has it read its files again. */
  async reload(): Promise<void> {
    const before = this.#count(/Caught HUP/g)
    this.#child!.kill('SIGHUP')
    await this.#until(() => this.#count(/Caught HUP/g) > before, 'reloads')
  }

  /** Whether an address of the overlay answers. */
  async reaches(address: string): Promise<boolean> {
    const ping = [address.includes(':') ? 'ping6' : 'ping', '-c', '1', '-W', '1', address]
    const command = ['netns', 'exec', this.#namespace, findPeer('busybox')!, ...ping]
    const { stdout } = await run(findPeer('ip')!, command, { exit: 'any' })
    return / 0% packet loss/.test(stdout)
  }

  /** Tunnels take a moment to be made and to be torn down. @throws where it stays otherwise */
  async untilReaches(address: string, expected = true): Promise<void> {
    const what = `${expected ? 'reaches' : 'no longer reaches'} ${address}`
    await this.#until(async () => (await this.reaches(address)) === expected, what)
  }

  #count = (pattern: RegExp) => this.#log.match(pattern)?.length ?? 0

  async #until(isSo: () => boolean | Promise<boolean>, what: string): Promise<void> {
    for (const end = performance.now() + waitMs; performance.now() < end; await setTimeout(50)) {
      if (await isSo()) return
      if (this.#child?.exitCode !== null) break
    }
    throw new Error(`${this.name} never ${what}:\n${this.#log.slice(-3000)}\n${this.#configuration()}`)
  }

  #configuration = () => readFileSync(join(this.#folder, 'config', 'config.yml'), 'utf8')
}

const ip = (...args: readonly string[]) => run(findPeer('ip')!, args)
