import { type CodeTable, failures } from '#base/index.ts'

export const codes = {
  IMAGE_SPEC_INVALID: {
    meaning: 'The description of an image to build contradicts itself or names what cannot be.',
    remedy: 'Correct the place that the message names.',
  },
  IMAGE_FILE_UNSUITABLE: {
    meaning:
      'A file on this machine cannot go into an image: it is absent, a device or socket, or it changed.',
    remedy: 'Leave it out, or build again while nothing writes to it.',
  },
  EXECUTABLE_INVALID: {
    meaning: 'A file is not an ELF executable or library, is damaged, or is for another machine.',
    remedy: 'Give an ELF file of the image’s platform; scripts and other files go under "files".',
  },
  LIBRARY_MISSING: {
    meaning: 'A shared library that an executable needs is nowhere where the dynamic linker looks.',
    remedy: 'Install the library, or check with `readelf -d` who needs it.',
  },
  LIBRARY_CONFLICT: {
    meaning: 'Two executables in one image need different libraries of the same name.',
    remedy: 'Put them into images of their own, or let both use the same library.',
  },
  IMAGE_CONFIG_INVALID: {
    meaning: 'The config of an image is not what image-spec config.md asks for.',
    remedy: 'The image is broken, or is an artifact and no image: ask its publisher.',
  },
  PLATFORM_NOT_FOUND: {
    meaning: 'An image exists, but not for the platform that was asked for.',
    remedy: 'Ask for one of the platforms that the message lists, or take along another image.',
  },
  LAYER_UNSUPPORTED: {
    meaning: 'A layer is of a kind that cannot be unpacked: encrypted, sparse, or an unknown compression.',
    remedy: 'Ask the publisher for an image with plain, gzip or zstd layers.',
  },
  LAYER_INVALID: {
    meaning: 'A layer is broken: it does not decompress, is no tar archive, or contradicts itself.',
    remedy: 'The image is broken: ask its publisher for a good one.',
  },
  LAYER_HOSTILE: {
    meaning:
      'A layer holds what no honest tool writes: escaping paths, links out, devices, members after its end.',
    remedy: 'Do not use the image, and tell whoever gave it to you.',
  },
  LAYER_TOO_LARGE: {
    meaning: 'A layer unpacks to more bytes or members than the limit: perhaps a decompression bomb.',
    remedy: 'Treat the image as hostile, or raise the limit if it is your own.',
  },
  LAYER_MISMATCH: {
    meaning: 'A layer does not unpack to what the image’s config says (its diff_id).',
    remedy: 'The image is broken or was tampered with before it was signed: ask its publisher.',
  },
  UNPACK_EXISTS: {
    meaning: 'The directory to unpack into is there already.',
    remedy: 'Remove it, or name another one.',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
