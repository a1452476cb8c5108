export { type CheckpointTrust, formatCheckpoint, parseCheckpoint, verifyCheckpoint } from './checkpoint.ts'
export { codes } from './codes.ts'
export { cosignatureVerifier } from './cosignature.ts'
export { leafHash } from './hash.ts'
export { type Note, type NoteSignature, parseNote, signNote, verifyNote } from './note.ts'
export {
  formatNoteKey,
  type NoteKey,
  noteKey,
  noteSigner,
  noteVerifier,
  parseNoteKey,
  type SigningKey,
} from './note-key.ts'
export { type FolderLog, type LogIdentity, type OpenLogOptions, openLog } from './open-log.ts'
export { connectPostgres, type Database } from './postgres-database.ts'
export { openPostgresLog, type PostgresLogOptions, readPostgresLog } from './postgres-log.ts'
export { type Tree, verifyConsistency, verifyInclusion } from './proof.ts'
export { type ReadLogOptions, readLog } from './read-log.ts'
export { directoryTiles } from './tile-store.ts'
export { formatLogProof, type LogProof, parseLogProof, proveEntry, verifyLogProof } from './tlog-proof.ts'
export type * from './types.ts'
export { openWitness, type Witness, type WitnessOptions } from './witness.ts'
export {
  answerCosignRequest,
  formatCosignRequest,
  parseCosignRequest,
  remoteWitness,
  type WitnessAnswer,
  witnessAt,
} from './witness-protocol.ts'
