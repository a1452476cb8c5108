// A real cluster of one node: etcd, the API server, controllers, scheduler, kubelet, containerd. The node lives in
// process and mount namespaces of its own, so that its pods, mounts and network namespaces end with it, whatever
// ends it.
import { randomBytes } from 'node:crypto'
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { findPeer, type Peer } from './peers.ts'
import { freePort, type Output, type RunOptions, type Workbench } from './workbench.ts'

export const kubernetesPeers: readonly Peer[] = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'kubectl',
  'containerd',
  'ctr',
  'runc',
  'unshare',
]

export interface ClusterOptions {
  /** HOST:PORT, plain HTTP: where the node finds images. */
  readonly registry: string
  /** The image of the pod sandbox, in that registry: anything that sleeps. */
  readonly pause: string
}

export class Cluster {
  readonly #bench: Workbench
  readonly #folder: string
  readonly kubeconfig: string
  /** Of the API server. */
  readonly auditLog: string
  port = 0
  /** This machine, as pods see it. */
  static readonly gateway = '198.18.0.1'

  private constructor(bench: Workbench, folder: string) {
    this.#bench = bench
    this.#folder = folder
    this.kubeconfig = join(folder, 'kubeconfig')
    this.auditLog = join(folder, 'audit.log')
  }

  static async start(bench: Workbench, options: ClusterOptions): Promise<Cluster> {
    const folder = bench.fresh('k')
    mkdirSync(folder)
    const cluster = new Cluster(bench, folder)
    await cluster.#startControlPlane()
    await cluster.#startNode(options)
    await cluster.until(async () => {
      const { stdout } = await cluster.kubectl(['get', 'nodes', '--no-headers'])
      return / Ready /.test(stdout)
    })
    // A pod needs its namespace's service account.
    await cluster.until(async () => {
      const { stdout } = await cluster.kubectl(['get', 'serviceaccounts', '-o', 'name'])
      return stdout.includes('default')
    })
    return cluster
  }

  kubectl(args: readonly string[], options: RunOptions = {}): Promise<Output> {
    return this.#bench.run('kubectl', ['--kubeconfig', this.kubeconfig, ...args], options)
  }

  /** Applies objects; the status is what `exit` says. */
  apply(objects: readonly unknown[], options: RunOptions = {}): Promise<Output> {
    const input = objects.map((object) => JSON.stringify(object)).join('\n---\n')
    return this.kubectl(['apply', '-f', '-'], { ...options, input })
  }

  async get<T>(...what: readonly string[]): Promise<T> {
    return JSON.parse((await this.kubectl(['get', ...what, '-o', 'json'])).stdout) as T
  }

  /** The end of what the containers of a pod wrote, from the node's own files: it has no address to ask it by. */
  logs(namespace: string, pod: string): string {
    const folder = join(this.#folder, 'pod-logs')
    return globSync(`${namespace}_${pod}_*/*/*.log`, { cwd: folder })
      .sort()
      .map((file) => readFileSync(join(folder, file), 'utf8').slice(-3_000))
      .join('\n')
  }

  /** Asks twice a second until it is so. */
  async until(isSo: () => Promise<boolean>, seconds = 90): Promise<void> {
    const end = performance.now() + seconds * 1000
    let last: unknown
    while (performance.now() < end) {
      try {
        if (await isSo()) return
      } catch (error) {
        last = error
      }
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
    throw new Error(`not so after ${seconds} s: ${last ?? isSo}\n${await this.#told()}`)
  }

  /** What the cluster says of itself, for failures. */
  async #told(): Promise<string> {
    const { stdout } = await this.kubectl(['get', 'events,pods,nodes', '-A', '-o', 'wide'], { exit: 'any' })
    return stdout.slice(-6_000)
  }

  async #startControlPlane(): Promise<void> {
    const at = (name: string) => join(this.#folder, name)
    const [client, peer, port] = [await freePort(), await freePort(), await freePort()]
    const etcd = `http://127.0.0.1:${client}`
    await this.#bench.daemon(
      'etcd',
      [
        ...['--unsafe-no-fsync', '--data-dir', at('etcd'), '--listen-client-urls', etcd],
        ...['--advertise-client-urls', etcd, '--listen-peer-urls', `http://127.0.0.1:${peer}`],
        ...['--initial-advertise-peer-urls', `http://127.0.0.1:${peer}`],
        ...['--initial-cluster', `default=http://127.0.0.1:${peer}`, '--log-level', 'warn'],
      ],
      () => listens(client),
    )
    await this.#bench.run('openssl', ['genrsa', '-out', at('sa.key'), '2048'])
    const token = randomBytes(16).toString('hex')
    writeFileSync(at('tokens.csv'), `${token},admin,1,system:masters\n`, { mode: 0o600 })
    writeFileSync(
      at('audit.yaml'),
      JSON.stringify({
        apiVersion: 'audit.k8s.io/v1',
        kind: 'Policy',
        omitStages: ['RequestReceived'],
        rules: [
          {
            level: 'Metadata',
            verbs: ['create', 'update', 'patch'],
            resources: [{ group: '', resources: ['pods', 'pods/ephemeralcontainers'] }],
          },
        ],
      }),
    )
    this.port = port
    const server = `https://localhost:${port}`
    await this.#bench.daemon(
      'kube-apiserver',
      [
        ...['--etcd-servers', etcd, '--cert-dir', at('certificates'), '--secure-port', `${port}`],
        // Pods reach it by the address that is the gateway of each of them; there is no service proxy.
        ...['--bind-address', '0.0.0.0', '--advertise-address', Cluster.gateway],
        '--enable-aggregator-routing',
        ...['--service-account-key-file', at('sa.key'), '--service-account-signing-key-file', at('sa.key')],
        ...['--service-account-issuer', 'https://kubernetes.default.svc'],
        ...['--token-auth-file', at('tokens.csv'), '--authorization-mode', 'RBAC'],
        ...['--service-cluster-ip-range', '10.0.0.0/24', '--allow-privileged'],
        ...['--kubelet-preferred-address-types', 'InternalIP', '--endpoint-reconciler-type', 'none'],
        ...['--audit-policy-file', at('audit.yaml'), '--audit-log-path', this.auditLog],
      ],
      async () => {
        if (!existsSync(at('certificates/apiserver.crt'))) return false
        this.#writeKubeconfig(server, token)
        return (await this.kubectl(['get', '--raw', '/readyz'])).stdout === 'ok'
      },
    )
    await this.#bench.daemon(
      'kube-controller-manager',
      [
        ...['--kubeconfig', this.kubeconfig, '--leader-elect=false', '--use-service-account-credentials'],
        ...['--service-account-private-key-file', at('sa.key'), '--secure-port', `${await freePort()}`],
        ...['--root-ca-file', at('certificates/apiserver.crt'), '--bind-address', '127.0.0.1'],
      ],
      async () => true,
    )
    await this.#bench.daemon(
      'kube-scheduler',
      [
        ...['--kubeconfig', this.kubeconfig, '--leader-elect=false', '--bind-address', '127.0.0.1'],
        ...['--secure-port', `${await freePort()}`],
      ],
      async () => true,
    )
  }

  #writeKubeconfig(server: string, token: string): void {
    const ca = readFileSync(join(this.#folder, 'certificates', 'apiserver.crt'))
    const named = (key: string, value: object) => [{ name: 'test', [key]: value }]
    writeFileSync(
      this.kubeconfig,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        clusters: named('cluster', { server, 'certificate-authority-data': ca.toString('base64') }),
        users: named('user', { token }),
        contexts: named('context', { cluster: 'test', user: 'test' }),
        'current-context': 'test',
      }),
      { mode: 0o600 },
    )
  }

  async #startNode({ registry, pause }: ClusterOptions): Promise<void> {
    const at = (name: string) => join(this.#folder, name)
    for (const name of ['cni', 'certs.d', `certs.d/${registry}`, 'kubelet', 'pod-logs']) mkdirSync(at(name))
    writeFileSync(
      at(`certs.d/${registry}/hosts.toml`),
      `server = "http://${registry}"\n[host."http://${registry}"]\ncapabilities = ["pull", "resolve"]\n`,
    )
    writeFileSync(
      at('cni/10-test.conflist'),
      JSON.stringify({
        cniVersion: '0.4.0',
        name: 'test',
        plugins: [
          {
            type: 'ptp',
            ipMasq: false,
            ipam: { type: 'host-local', subnet: '198.18.0.0/24', dataDir: at('cni-leases') },
          },
        ],
      }),
    )
    const socket = at('c.sock')
    const cri = 'plugins."io.containerd.grpc.v1.cri"'
    writeFileSync(
      at('containerd.toml'),
      [
        'version = 2',
        `root = "${at('containerd')}"`,
        `state = "${at('containerd-state')}"`,
        `[grpc]\naddress = "${socket}"`,
        `[plugins."io.containerd.internal.v1.opt"]\npath = "${at('opt')}"`,
        `[${cri}]`,
        'restrict_oom_score_adj = true',
        'disable_apparmor = true',
        `sandbox_image = "${pause}"`,
        `[${cri}.cni]\nbin_dir = "/usr/lib/cni"\nconf_dir = "${at('cni')}"`,
        `[${cri}.registry]\nconfig_path = "${at('certs.d')}"`,
      ].join('\n'),
    )
    const kubeletPort = await freePort()
    const healthPort = await freePort()
    writeFileSync(
      at('kubelet.json'),
      JSON.stringify({
        apiVersion: 'kubelet.config.k8s.io/v1beta1',
        kind: 'KubeletConfiguration',
        port: kubeletPort,
        healthzPort: healthPort,
        address: '127.0.0.1',
        cgroupDriver: 'cgroupfs',
        cgroupsPerQOS: false,
        enforceNodeAllocatable: [],
        failCgroupV1: false,
        failSwapOn: false,
        localStorageCapacityIsolation: false,
        evictionHard: {},
        imageGCHighThresholdPercent: 100,
        containerRuntimeEndpoint: `unix://${socket}`,
        podLogsDir: at('pod-logs'),
        authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
        authorization: { mode: 'AlwaysAllow' },
      }),
    )
    const kubelet = [
      ...['--config', at('kubelet.json'), '--kubeconfig', this.kubeconfig, '--root-dir', at('kubelet')],
      ...['--hostname-override', 'node1', '--node-ip', '127.0.0.1'],
    ]
    writeFileSync(
      at('node.sh'),
      [
        'set -eu',
        // What has its place at a fixed path gets one that nobody else sees.
        'for folder in /run/containerd /run/netns /var/log; do mkdir -p $folder; mount -t tmpfs none $folder; done',
        `${findPeer('containerd')} --config ${at('containerd.toml')} >${at('containerd.log')} 2>&1 &`,
        `while ! [ -S ${socket} ]; do sleep 0.1; done`,
        // Not exec: somebody has to be there to take in orphans.
        `${findPeer('kubelet')} ${kubelet.join(' ')}`,
      ].join('\n'),
    )
    await this.#bench.daemon(
      'unshare',
      ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', 'sh', at('node.sh')],
      () => listens(healthPort),
    )
  }
}

/** Whether something takes connections on loopback. */
function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('close', () => socket.destroy())
    socket.once('connect', () => socket.destroy())
  })
}
