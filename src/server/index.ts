export { Admission, type AdmissionOptions, type Rules as AdmissionRules } from './admission/admission.ts'
export { type AdmissionService, type AdmissionServiceOptions, startAdmission } from './admission-service.ts'
export type { BrokerEvent, BrokerLog } from './broker/broker-log.ts'
export { type BrokerServer, type BrokerServerOptions, startBrokerServer } from './broker/broker-server.ts'
export { checkListeners } from './broker/check-listeners.ts'
export { certificateMaker } from './certificates/certificate-maker.ts'
export { directoryStore } from './certificates/directory-store.ts'
export { codes } from './codes.ts'
export {
  type AdmissionConfiguration,
  environmentsOf,
  limitsOf,
  parseConfiguration,
} from './configuration.ts'
export type { AdmissionEvent, AdmissionLog } from './http/admission-log.ts'
export { type ClusterApi, openClusterApi } from './kubernetes/cluster-api.ts'
export { admissionManifests, type ManifestOptions } from './kubernetes/manifests.ts'
export { secretStore } from './kubernetes/secret-store.ts'
export { webhookBundles } from './kubernetes/webhook-bundles.ts'
export { type ImageUse, imagesIn, newImages } from './review/images.ts'
export { type JsonObject, parseReview, type Review } from './review/review.ts'
export {
  type ContainerMirrorOptions,
  containerMirror,
  type Mirror,
  registryMirror,
} from './subjects/mirror-places.ts'
export { type Gather, MirrorSubjects } from './subjects/mirror-subjects.ts'
export { RememberedSubjects } from './subjects/remembered-subjects.ts'
export type { EnvironmentOf, FoundSubject, PinnedReference, SubjectSource } from './types.ts'
