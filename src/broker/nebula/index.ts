// Nebula (the overlay network): certificates of both versions, authorities, keys, and the plugin that gives them out.
export type { AuthorityDescription, AuthoritySet, NebulaAuthorities } from './authorities.ts'
export {
  createNebulaAuthority,
  type NebulaAuthority,
  type NebulaAuthorityTerms,
  type NebulaTerms,
  openNebulaAuthority,
} from './authority.ts'
export {
  fingerprintOf,
  fingerprintsOf,
  formatNebulaCertificate,
  type NebulaCertificate,
  type NebulaDetails,
  type NebulaVersion,
  nebulaPem,
  parseNebulaCertificate,
  parseNebulaPem,
} from './certificate.ts'
export {
  checkNodePublicKey,
  makeNodeKey,
  type NebulaCurve,
  type NodeKey,
  nodePrivateKeyPem,
  nodePublicKeyPem,
  parseNodePublicKey,
} from './node-key.ts'
export { type Nebula, type NebulaOptions, openNebula } from './open-nebula.ts'
export { type NebulaPluginTerms, nebulaPlugin } from './plugin.ts'
export { nodeKeyDigest, proveNodeKey } from './possession.ts'
export { type ArgonCost, nebulaSigningKeyPem, parseNebulaSigningKey } from './signing-key.ts'
export { checkNebulaAuthority, verifyNebulaCertificate } from './verify.ts'
