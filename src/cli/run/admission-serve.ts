import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { admissionLimits } from '#base/index.ts'
import { stateDirectory } from '#bundle/index.ts'
import { ContentGate, KnownReleases, releaseDirectory } from '#gate/index.ts'
import {
  type AdmissionConfiguration,
  type AdmissionEvent,
  type AdmissionServiceOptions,
  certificateMaker,
  directoryStore,
  environmentsOf,
  limitsOf,
  openClusterApi,
  parseConfiguration,
  secretStore,
  startAdmission,
  webhookBundles,
} from '#server/index.ts'
import { gatherProofs } from '#trust/index.ts'
import { openMirrors } from '../admission/open-mirrors.ts'
import { watchRules } from '../admission/watched-rules.ts'
import { failure } from '../codes.ts'
import type { AdmissionServeFlags } from '../commands/admission-serve.ts'
import type { Context } from '../context.ts'
import { readWhole } from '../files.ts'
import { auditDirectory, openAuditPlace } from '../gate/audit-place.ts'
import { loadRules, rulesPath } from '../gate/load-rules.ts'
import { openSession, type Session } from '../session.ts'
import { printLine, tell } from '../shell/print.ts'
import { readData } from '../yaml.ts'

export async function run(this: Context, flags: AdmissionServeFlags): Promise<void> {
  await using session = await openSession(this, flags)
  const { settings, signal } = session
  const configuration = await configurationOf(this, flags)
  const { policy, audit: auditPath, listen = '127.0.0.1:8443' } = configuration
  const path = rulesPath(this, settings, policy === undefined ? {} : { policy })
  if (path === undefined) {
    throw failure('USAGE', 'without a policy nothing would be let in: name it (--policy)')
  }
  const log = (event: AdmissionEvent) => report(this, event, flags.verbose)
  await using stack = new AsyncDisposableStack()
  const rules = stack.use(
    await watchRules(
      path,
      () => loadRules(this, settings, path),
      (error) =>
        log(
          error === undefined
            ? { event: 'reloaded', level: 'info', what: path }
            : { event: 'reloaded', level: 'error', what: path, message: String(error) },
        ),
    ),
  )
  const directory = auditDirectory(this, settings, auditPath === undefined ? {} : { audit: auditPath })
  const audit = stack.use(await openAuditPlace(directory, signal))
  const releases = new KnownReleases(releaseDirectory(join(directory, 'releases')))
  const { clientCa } = configuration
  const service = stack.use(
    await startAdmission(
      {
        gate: new ContentGate({ rules: rules.current, audit, releases }),
        rules: () => {
          const { policy, trust } = rules.current()
          return { policy: policy.digest, trust: trust.digest }
        },
        mirrors: await openMirrors(session, configuration.mirrors ?? [], stack),
        gather: (repository, subject, signal) => gatherProofs(repository, subject, { signal }),
        environmentOf: environmentsOf(configuration),
        limits: limitsOf(configuration),
        log,
        certificates: await certificatesOf(this, session, configuration),
        ...(clientCa !== undefined && { clientCa: await readText(this, clientCa) }),
      },
      parseListen(listen),
    ),
  )
  const { url, port } = service
  const stopped = new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  const reload = () => void rules.reload()
  process.on('SIGHUP', reload)
  printLine(this, session.format, { url, port, policy: path, audit: directory }, url)
  await stopped.finally(() => process.off('SIGHUP', reload))
}

/** The file, and the flags over it. Paths in flags are from here, those in the file absolute or from here too. */
async function configurationOf(
  context: Context,
  flags: AdmissionServeFlags,
): Promise<AdmissionConfiguration> {
  const file =
    flags.config === undefined ? {} : parseConfiguration(await readData(resolve(context.cwd, flags.config)))
  const { secret, certificates: directory, configuration, kubeconfig } = flags
  return parseConfiguration({
    ...file,
    ...given({ listen: flags.listen, policy: flags.policy, audit: flags.audit, clientCa: flags.clientCa }),
    ...given({ mirrors: flags.mirror, hostnames: flags.hostname, addresses: flags.ip }),
    certificates: { ...file.certificates, ...given({ secret, directory, configuration, kubeconfig }) },
    environments: { ...file.environments, ...given({ default: flags.environment }) },
  } as never)
}

/** The members that have a value. */
const given = (members: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))

const defaultCertificateSeconds = 7 * 86_400
const defaultAuthoritySeconds = 365 * 86_400

async function certificatesOf(
  context: Context,
  { settings }: Session,
  { certificates = {}, hostnames = [], addresses = [] }: AdmissionConfiguration,
): Promise<NonNullable<AdmissionServiceOptions['certificates']>> {
  if (hostnames.length + addresses.length === 0) {
    throw failure('USAGE', 'say under which name or address the API server reaches it (--hostname, --ip)')
  }
  const { secret, configuration, kubeconfig } = certificates
  const needsCluster = secret !== undefined || configuration !== undefined
  const api = needsCluster
    ? await openClusterApi(kubeconfig === undefined ? {} : { kubeconfig: resolve(context.cwd, kubeconfig) })
    : undefined
  const [namespace = '', name = '', ...rest] = secret?.split('/') ?? []
  if (secret !== undefined && (namespace === '' || name === '' || rest.length > 0)) {
    throw failure('USAGE', `${secret} is not NAMESPACE/NAME`)
  }
  return {
    store:
      api && secret !== undefined
        ? secretStore(api, namespace, name)
        : await folder(context, settings, certificates),
    maker: certificateMaker,
    ...(api && configuration !== undefined && { publisher: webhookBundles(api, configuration) }),
    ...{ hostnames, addresses },
    certificateMs: (certificates.seconds ?? defaultCertificateSeconds) * 1000,
    authorityMs: (certificates.authoritySeconds ?? defaultAuthoritySeconds) * 1000,
  }
}

async function folder(
  context: Context,
  settings: Session['settings'],
  { directory }: NonNullable<AdmissionConfiguration['certificates']>,
) {
  const path =
    directory === undefined
      ? join(settings.stateDir ?? stateDirectory(context.env), 'admission')
      : resolve(context.cwd, directory)
  // Private keys are in it.
  await mkdir(path, { recursive: true, mode: 0o700 })
  return directoryStore(path)
}

async function readText(context: Context, path: string): Promise<string> {
  return Buffer.from(
    await readWhole(resolve(context.cwd, path), admissionLimits.configurationBytes),
  ).toString()
}

/** @throws USAGE */
function parseListen(text: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([\w.-]+)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (!match || port > 65_535) throw failure('USAGE', `${text} is not HOST:PORT`)
  return { host: match[1] ?? match[2] ?? '', port }
}

/** One line of JSON for each thing that happened: admissions only where they are asked for. */
function report(context: Context, event: AdmissionEvent, verbose: boolean): void {
  if (event.event === 'review' && event.level === 'info' && !verbose) return
  tell(context, JSON.stringify({ time: new Date().toISOString(), ...event }))
}
