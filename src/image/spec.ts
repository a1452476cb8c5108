import type { Source } from '#content/index.ts'
import type { Annotations, Descriptor, Platform } from '#oci/index.ts'

/** One file, or one directory tree, that goes into a layer. */
export interface LayerFile {
  /** A path on this machine: a file, or a directory whose content goes under `to`. Links below it stay links. */
  readonly from?: string
  /** The content itself, in place of `from`. */
  readonly content?: string | Uint8Array
  /** The path in the image. */
  readonly to: string
  /** Permission bits of files; without it 0755 for what its owner may execute, and 0644 for the rest. */
  readonly mode?: number
  /** 0 where it is not said. */
  readonly uid?: number
  readonly gid?: number
}

/** An ELF executable, which brings its dynamic linker and the shared libraries it loads. */
export interface LayerExecutable {
  readonly from: string
  /** The path in the image; that of `from` where it is not said. */
  readonly to?: string
  /** Libraries that the program opens itself (dlopen), by the names it uses. Their own libraries come along. */
  readonly libraries?: readonly string[]
}

export interface LayerSymlink {
  readonly path: string
  /** What the link says: it is not checked, for it means something only inside the image. */
  readonly target: string
}

/** A directory of its own, or the mode and owner of one that others are in. 0755 where it is not said. */
export interface LayerDirectory {
  readonly path: string
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
}

export interface LayerSpec {
  readonly files?: readonly LayerFile[]
  readonly executables?: readonly LayerExecutable[]
  readonly symlinks?: readonly LayerSymlink[]
  readonly directories?: readonly LayerDirectory[]
  /** Goes into the image's history. */
  readonly comment?: string
}

/** How a container of the image is started (image-spec config.md). */
export interface ExecutionSpec {
  readonly entrypoint?: readonly string[]
  readonly cmd?: readonly string[]
  /** Names to values. On a base, they are added to its own. */
  readonly env?: Readonly<Record<string, string>>
  readonly workingDir?: string
  readonly user?: string
  readonly labels?: Readonly<Record<string, string>>
  /** "8080/tcp", "53/udp", or a port alone. */
  readonly exposedPorts?: readonly string[]
  readonly volumes?: readonly string[]
  readonly stopSignal?: string
}

export type LayerCompression = 'gzip' | 'zstd' | 'none'

/**
 * An image to build. The same spec over the same files gives the same digest: entries are sorted, times are
 * SOURCE_DATE_EPOCH or 0, owners and modes are normalised. With `none` that holds everywhere; what gzip and zstd
 * make of the same bytes depends on the zlib and zstd inside Node, so there it holds for one version of Node on
 * one kind of processor.
 */
export interface ImageSpec {
  /** The image to add to: its layers are referred to and copied as they are. Scratch where it is not said. */
  readonly base?: { readonly source: Source; readonly root: Descriptor }
  /** The base's, or that of this machine, where it is not said. */
  readonly platform?: Platform
  readonly layers: readonly LayerSpec[]
  readonly config?: ExecutionSpec
  readonly annotations?: Annotations
  /** gzip where it is not said, as every engine reads it. */
  readonly compression?: LayerCompression
  /** 1 to 9 for gzip (1 where it is not said), 1 to 19 for zstd (3). */
  readonly compressionLevel?: number
}
