export type { Problem } from '#base/shape/index.ts'
export {
  type InstallationDetail,
  type InstallationSummary,
  listInstallations,
  openLog,
  readOutputs,
  type ShownOutput,
  showInstallation,
} from './actions/installations.ts'
export { type ActionContext, type ActionRequest, type ActionResult, runAction } from './actions/run-action.ts'
export { type BundleLimits, checkBundle, formatBundle, parseBundle } from './bundle-file.ts'
export { builtInActions, bundleNotes } from './bundle-rules.ts'
export type {
  Action,
  BundleImage,
  CnabBundle,
  Credential,
  InvocationImage,
  Output,
  Parameter,
} from './bundle-schema.ts'
export type { Claim, Result, ResultStatus } from './claims/claim.ts'
export { type IdSource, idSource } from './claims/ids.ts'
export { checkInstallationName, stateDirectory } from './claims/state-directory.ts'
export { type ClaimRecord, ClaimStore, type ClaimStoreOptions } from './claims/store.ts'
export { codes } from './codes.ts'
export { type Definition, openDefinition } from './definition/definition.ts'
export { detectDrivers } from './drivers/detect-drivers.ts'
export { NamespacesDriver } from './drivers/namespaces/driver.ts'
export type { ResourceLimits } from './drivers/oci-runtime/config.ts'
export { OciRuntimeDriver, type OciRuntimeOptions } from './drivers/oci-runtime/driver.ts'
export type { LocalDriverOptions } from './drivers/options.ts'
export type { DriverReport } from './drivers/probe.ts'
export { parseVolume, type Volume } from './drivers/volume.ts'
export { type ExtensionReport, extensionReport, requireExtensions } from './extensions.ts'
export {
  type CredentialSet,
  type CredentialSource,
  checkCredentialSet,
  parseCredentialSet,
} from './inputs/credential-set.ts'
export { type CredentialReaders, machineReaders } from './inputs/resolve-credentials.ts'
export { actionTraits, type GivenParameter, resolveParameters } from './inputs/resolve-parameters.ts'
export { type ArtifactBlob, type WrittenArtifact, writeArtifact } from './project/artifact.ts'
export { type BuildBundleContext, buildBundle, type Pinned } from './project/build-bundle.ts'
export { parseProject } from './project/parse-project.ts'
export { type Project, type ProjectBuild, projectSchema } from './project/schema.ts'
export { type BundleGraph, openBundleGraph } from './registry/bundle-source.ts'
export {
  type BundleIndex,
  bundleToIndex,
  type ConfigDress,
  writeBundleIndex,
} from './registry/bundle-to-index.ts'
export { type PublishOptions, publishBundle } from './registry/publish.ts'
export { type FoundBundle, isBundleIndex, readBundleIndex } from './registry/read-bundle-index.ts'
export { type LocatedImage, type LocateImage, locateChecked, locateIn } from './relocation/locate.ts'
export {
  bundleImages,
  checkMapping,
  formatRelocationMapping,
  parseRelocationMapping,
  type RelocationMapping,
} from './relocation/mapping.ts'
export {
  manifestDigest,
  type RelocatedImage,
  type RelocationPlan,
  relocationPlan,
} from './relocation/plan.ts'
export { type RelocateOptions, relocate } from './relocation/relocate.ts'
export { spellings } from './relocation/spellings.ts'
export type { Driver, ImageLocation, LogEvent, Operation, OperationResult } from './runtime/operation.ts'
