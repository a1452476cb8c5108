import { type CodeTable, failures } from '#base/index.ts'

export const codes = {
  DIGEST_INVALID: {
    meaning: 'A text is not a digest of a supported algorithm (sha256, sha384, sha512).',
    remedy: 'A digest looks like sha256:<64 lower-case hexadecimal digits>.',
  },
  REFERENCE_INVALID: {
    meaning: 'A text is not a reference to an image or artifact.',
    remedy: 'Write it as HOST[:PORT]/REPOSITORY[:TAG][@DIGEST], the repository in lower case.',
  },
  PLATFORM_INVALID: {
    meaning: 'A text is not a platform.',
    remedy: 'Write it as OS/ARCHITECTURE[/VARIANT], for instance linux/arm64/v8.',
  },
  DESCRIPTOR_INVALID: {
    meaning: 'A descriptor lacks its media type, digest or size, or they are malformed.',
    remedy: 'The manifest that holds it is broken: ask its publisher for a good one.',
  },
  MANIFEST_INVALID: {
    meaning: 'The bytes are not a manifest or index of the media type they claim.',
    remedy: 'The content is broken: ask its publisher for a good one.',
  },
  MANIFEST_UNSUPPORTED: {
    meaning: 'A Docker schema 1 manifest, which cannot be carried with its digest intact.',
    remedy: 'Push the image again with a current tool, which writes an OCI or Docker schema 2 manifest.',
  },
  GRAPH_TOO_WIDE: {
    meaning: 'A manifest has more children than the limit.',
    remedy: 'Treat the content as hostile, or raise the limit if it is your own.',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
