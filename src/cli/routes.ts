import { buildRouteMap } from '@stricli/core'
import { accessCheck } from './commands/access-check.ts'
import { admissionManifests } from './commands/admission-manifests.ts'
import { admissionServe } from './commands/admission-serve.ts'
import { attest } from './commands/attest.ts'
import { attestations } from './commands/attestations.ts'
import { audit } from './commands/audit.ts'
import { brokerCheck } from './commands/broker-check.ts'
import { brokerClient } from './commands/broker-client.ts'
import { brokerImport } from './commands/broker-import.ts'
import { brokerInit } from './commands/broker-init.ts'
import { brokerLeases } from './commands/broker-leases.ts'
import { brokerPolicy } from './commands/broker-policy.ts'
import { brokerReference } from './commands/broker-reference.ts'
import { brokerResource } from './commands/broker-resource.ts'
import { brokerRotate } from './commands/broker-rotate.ts'
import { brokerServe } from './commands/broker-serve.ts'
import { build } from './commands/build.ts'
import { complete } from './commands/complete.ts'
import { completion } from './commands/completion.ts'
import { copy } from './commands/copy.ts'
import { imageBuild } from './commands/image-build.ts'
import { inspect } from './commands/inspect.ts'
import { install } from './commands/install.ts'
import { installations } from './commands/installations.ts'
import { invoke } from './commands/invoke.ts'
import { keyGenerate } from './commands/key-generate.ts'
import { keyImport } from './commands/key-import.ts'
import { keyShow } from './commands/key-show.ts'
import { logs } from './commands/logs.ts'
import { ls } from './commands/ls.ts'
import { outputs } from './commands/outputs.ts'
import { override } from './commands/override.ts'
import { pack } from './commands/pack.ts'
import { policyCheck } from './commands/policy-check.ts'
import { policyExplain } from './commands/policy-explain.ts'
import { policyInit } from './commands/policy-init.ts'
import { policyTest } from './commands/policy-test.ts'
import { receipt } from './commands/receipt.ts'
import { registryGc } from './commands/registry-gc.ts'
import { registryServe } from './commands/registry-serve.ts'
import { release } from './commands/release.ts'
import { relocate } from './commands/relocate.ts'
import { serve } from './commands/serve.ts'
import { show } from './commands/show.ts'
import { sign } from './commands/sign.ts'
import { tokenVerify } from './commands/token-verify.ts'
import { tree } from './commands/tree.ts'
import { trustRootImport } from './commands/trust-root-import.ts'
import { trustRootPack } from './commands/trust-root-pack.ts'
import { trustRootShow } from './commands/trust-root-show.ts'
import { trustRootUpdate } from './commands/trust-root-update.ts'
import { uninstall } from './commands/uninstall.ts'
import { upgrade } from './commands/upgrade.ts'
import { verify } from './commands/verify.ts'
import { verifyAttestation } from './commands/verify-attestation.ts'
import type { Context } from './context.ts'

const image = buildRouteMap<'build', Context>({
  routes: { build: imageBuild },
  docs: { brief: 'Make images' },
})

const registry = buildRouteMap<'serve' | 'gc', Context>({
  routes: { serve: registryServe, gc: registryGc },
  docs: { brief: 'Run a registry and keep it tidy' },
})

const key = buildRouteMap<'generate' | 'import' | 'show', Context>({
  routes: { generate: keyGenerate, import: keyImport, show: keyShow },
  docs: { brief: 'Make and look at keys' },
})

const trustRoot = buildRouteMap<'import' | 'show' | 'update' | 'pack', Context>({
  routes: { import: trustRootImport, show: trustRootShow, update: trustRootUpdate, pack: trustRootPack },
  docs: { brief: 'Whose authorities, logs and time stamps are trusted here' },
})

const broker = buildRouteMap<
  | 'init'
  | 'serve'
  | 'resource'
  | 'policy'
  | 'reference'
  | 'client'
  | 'leases'
  | 'rotate'
  | 'check'
  | 'import',
  Context
>({
  routes: {
    init: brokerInit,
    serve: brokerServe,
    resource: brokerResource,
    policy: brokerPolicy,
    reference: brokerReference,
    client: brokerClient,
    leases: brokerLeases,
    rotate: brokerRotate,
    check: brokerCheck,
    import: brokerImport,
  },
  docs: { brief: 'Release secrets to attested guests' },
})

const token = buildRouteMap<'verify', Context>({
  routes: { verify: tokenVerify },
  docs: { brief: 'What attestation tokens say' },
})

const admission = buildRouteMap<'serve' | 'manifests', Context>({
  routes: { serve: admissionServe, manifests: admissionManifests },
  docs: { brief: 'Guard a Kubernetes cluster' },
})

const access = buildRouteMap<'check', Context>({
  routes: { check: accessCheck },
  docs: { brief: 'Who may do what with which content' },
})

const policy = buildRouteMap<'init' | 'check' | 'test' | 'explain', Context>({
  routes: { init: policyInit, check: policyCheck, test: policyTest, explain: policyExplain },
  docs: { brief: 'Write, check and try trust policies' },
})

const commands = {
  build,
  image,
  pack,
  copy,
  inspect,
  ls,
  tree,
  sign,
  attest,
  attestations,
  verify,
  'verify-attestation': verifyAttestation,
  key,
  'trust-root': trustRoot,
  access,
  policy,
  serve,
  registry,
  relocate,
  install,
  upgrade,
  uninstall,
  invoke,
  release,
  override,
  receipt,
  audit,
  admission,
  broker,
  token,
  installations,
  show,
  logs,
  outputs,
  completion,
  __complete: complete,
}

/** Every command, in the order in which an application travels. Loads descriptions only, never what they run. */
export const routes = buildRouteMap<keyof typeof commands, Context>({
  routes: commands,
  docs: {
    brief: 'Carries cloud-native applications across any gap and proves them on the other side',
    fullDescription: [
      'Packs container images, charts, VM images and files into one archive; carries it over any gap; serves, relocates and installs it where there is no internet.',
      '',
      'EXAMPLES',
      '  sealift pack bundle.json -o app.tgz',
      '  sealift verify app.tgz',
      '  sealift relocate app.tgz --to registry.enclave/vendor',
    ].join('\n'),
    hideRoute: { __complete: true },
  },
})
