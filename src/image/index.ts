export { type BuildOptions, buildImage, sourceDateEpoch } from './build-image.ts'
export { codes } from './codes.ts'
export { type Elf, type RandomAccess, readElf } from './elf.ts'
export { type HostFiles, hostFiles } from './host-files.ts'
export { type Execution, type ImageConfig, imageConfig, parseImageConfig } from './image-config.ts'
export { hostArchitecture } from './machines.ts'
export { removeTree } from './root-directory.ts'
export { type SelectedImage, selectImage } from './select-image.ts'
export { type LoadedFile, type SharedLibraries, sharedLibraries } from './shared-libraries.ts'
export type {
  ExecutionSpec,
  ImageSpec,
  LayerCompression,
  LayerDirectory,
  LayerExecutable,
  LayerFile,
  LayerSpec,
  LayerSymlink,
} from './spec.ts'
export type { SpoolOptions } from './spool.ts'
export { type SystemFilesOptions, systemFiles } from './system-files.ts'
export { type UnpackOptions, unpackImage } from './unpack-image.ts'
