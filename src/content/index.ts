export { type ArchiveContainer, openArchive } from './archive/container.ts'
export { ArchiveWriter, type ArchiveWriterOptions } from './archive/writer.ts'
export { codes, failure as contentFailure } from './codes.ts'
export { copy, copyAll } from './copy.ts'
export { isStore } from './is-store.ts'
export { openLayout } from './layout.ts'
export { LayoutTarget, type LayoutTargetOptions } from './layout-target.ts'
export { MemoryRepositories, MemoryStore } from './memory.ts'
export { byBytes, pageOf } from './paging.ts'
export { parallel } from './parallel.ts'
export {
  bytesReader,
  Check,
  clampRange,
  iterableReader,
  readerChunks,
  readVerified,
  verifying,
} from './readers.ts'
export type * from './types.ts'
export { type Problem, type VerifyOptions, type VerifyReport, verify } from './verify.ts'
export { legacyTag, type Node, type Walk, type WalkOptions, walk } from './walk.ts'
