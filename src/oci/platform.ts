import { failure } from './codes.ts'

/** image-spec image-index.md, `platform`. */
export interface Platform {
  readonly os: string
  readonly architecture: string
  readonly variant?: string
  readonly 'os.version'?: string
  readonly 'os.features'?: readonly string[]
}

const word = /^[a-z0-9][a-z0-9._-]*$/i

// The spellings that people type, and containerd normalises (platforms/database.go).
const architectures: ReadonlyMap<string, string> = new Map([
  ['x86_64', 'amd64'],
  ['x86-64', 'amd64'],
  ['aarch64', 'arm64'],
  ['armhf', 'arm'],
  ['armel', 'arm'],
  ['i386', '386'],
])

/** @throws PLATFORM_INVALID */
export function parsePlatform(text: string): Platform {
  const [os, architecture, variant, ...rest] = text.toLowerCase().split('/')
  if (
    !os ||
    !architecture ||
    rest.length > 0 ||
    ![os, architecture, variant ?? 'x'].every((w) => word.test(w))
  ) {
    throw failure('PLATFORM_INVALID', `not a platform: ${JSON.stringify(text.slice(0, 100))}`)
  }
  const plain = architectures.get(architecture) ?? architecture
  return variant === undefined ? { os, architecture: plain } : { os, architecture: plain, variant }
}

export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform
  return variant ? `${os}/${architecture}/${variant}` : `${os}/${architecture}`
}

/**
 * Whether `offered` is what `wanted` asks for. A wanted platform without a variant takes any; arm64 is arm64/v8
 * and arm is arm/v7 (containerd platforms, Normalize).
 */
export function platformMatches(wanted: Platform, offered: Platform): boolean {
  if (wanted.os !== offered.os || wanted.architecture !== offered.architecture) return false
  return wanted.variant === undefined || normalVariant(wanted) === normalVariant(offered)
}

function normalVariant({ architecture, variant }: Platform): string | undefined {
  if (variant !== undefined) return variant
  return architecture === 'arm64' ? 'v8' : architecture === 'arm' ? 'v7' : undefined
}
