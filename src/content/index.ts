export { codes } from './codes.ts'
export { copy, copyAll } from './copy.ts'
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
export { legacyTag, type Node, type Walk, type WalkOptions, walk } from './walk.ts'
