import type { AdmissionLimits } from '#base/index.ts'
import type { Gate } from '#gate/index.ts'
import { Admission, type Rules } from './admission/admission.ts'
import { CertificateKeeper, type CertificateKeeperOptions } from './certificates/certificate-keeper.ts'
import type { AdmissionLog } from './http/admission-log.ts'
import { AdmissionServer } from './http/admission-server.ts'
import { Metrics } from './http/metrics.ts'
import type { Mirror } from './subjects/mirror-places.ts'
import { type Gather, MirrorSubjects } from './subjects/mirror-subjects.ts'
import { RememberedSubjects } from './subjects/remembered-subjects.ts'
import type { EnvironmentOf } from './types.ts'

export interface AdmissionServiceOptions {
  readonly gate: Gate
  /** What the gate's answers rest on at the moment. */
  readonly rules?: () => Rules
  readonly mirrors: readonly Mirror[]
  readonly gather: Gather
  readonly environmentOf: EnvironmentOf
  readonly limits: AdmissionLimits
  readonly log: AdmissionLog
  /** Without it plain HTTP is spoken. */
  readonly certificates?: Omit<CertificateKeeperOptions, 'log' | 'onChange'>
  /** PEM. */
  readonly clientCa?: string
}

/** The whole webhook, running. */
export interface AdmissionService extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** PEM of the authorities that its certificate may be of; empty over plain HTTP. */
  bundle(): string
}

/**
 * Starts the webhook: certificates first, then the socket.
 *
 * @throws KUBERNETES_API, CERTIFICATE_STATE_INVALID, and what the operating system says about the address
 */
export async function startAdmission(
  options: AdmissionServiceOptions,
  listen: { readonly host: string; readonly port: number },
): Promise<AdmissionService> {
  const { gate, rules, mirrors, gather, environmentOf, limits, log, clientCa } = options
  await using stack = new AsyncDisposableStack()
  const subjects = stack.use(new RememberedSubjects(new MirrorSubjects(mirrors, gather, limits), limits))
  subjects.start()
  let server: AdmissionServer | undefined
  const keeper =
    options.certificates &&
    stack.use(
      new CertificateKeeper({ ...options.certificates, log, onChange: (serving) => server?.use(serving) }),
    )
  await keeper?.start()
  server = new AdmissionServer({
    admission: new Admission({ gate, subjects, environmentOf, limits, ...(rules && { rules }) }),
    metrics: new Metrics({ lookups: () => subjects.lookups, certificateEnd: () => keeper?.until }),
    log,
    limits,
    notReady: () => {
      const until = keeper?.until
      return until !== undefined && until.getTime() <= Date.now() ? 'the certificate has ended' : undefined
    },
    ...(keeper?.serving && { tls: keeper.serving }),
    ...(clientCa !== undefined && { clientCa }),
  })
  stack.use(server)
  const { url, port } = await server.listen(listen.host, listen.port)
  // A certificate may have been issued by another replica meanwhile.
  if (keeper?.serving) server.use(keeper.serving)
  const running = stack.move()
  return {
    url,
    port,
    bundle: () => keeper?.bundle ?? '',
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}
