export { type ArchiveContainer, openArchive } from './archive/container.ts'
export type { Generation } from './archive/generations.ts'
export { ArchiveWriter, type ArchiveWriterOptions } from './archive/writer.ts'
export { codes, failure as contentFailure } from './codes.ts'
export { copy, copyAll } from './copy.ts'
export {
  DataDirectory,
  type DataDirectoryOptions,
  openDataDirectory,
} from './data-directory/data-directory.ts'
export { collectGarbage, type GarbageOptions, type GarbageReport } from './data-directory/garbage.ts'
export { openDockerArchive } from './docker-archive.ts'
export { isStore } from './is-store.ts'
export { type OpenLayoutOptions, openLayout, repositoryNameFor } from './layout.ts'
export { LayoutTarget, type LayoutTargetOptions } from './layout-target.ts'
export { MemoryRepositories, MemoryStore } from './memory.ts'
export { type BundleContainer, openOciArchive } from './oci-archive.ts'
export { OciArchiveTarget, type OciArchiveTargetOptions } from './oci-archive-target.ts'
export { type ContainerKind, type OpenedContainer, openContainer } from './open-container.ts'
export { overlay } from './overlay.ts'
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
export type { OpenArchiveOptions } from './tar-archive.ts'
export {
  parsePaxRecords,
  parseTarHeader,
  type TarHeader,
  type TarKind,
  type TarMetaKind,
  type TarRefusal,
  tarBlockBytes,
  tarText,
} from './tar-header.ts'
export type * from './types.ts'
export { type Problem, type VerifyOptions, type VerifyReport, verify } from './verify.ts'
export { legacyTag, type Node, type Walk, type WalkOptions, walk } from './walk.ts'
