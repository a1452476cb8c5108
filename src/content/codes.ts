import { type CodeTable, failures } from '#base/index.ts'

export const codes = {
  CONTENT_NOT_FOUND: {
    meaning: 'The source has no such tag, manifest or blob.',
    remedy: 'List what is there with `sealift ls`, and check the spelling of the reference.',
  },
  CONTENT_READ_ONLY: {
    meaning: 'The place can be read but not written to.',
    remedy: 'Write to another place, or serve it with --overlay DIR to take pushes.',
  },
  CONTENT_DAMAGED: {
    meaning: 'Stored content does not have its digest any more.',
    remedy: 'Run `sealift verify` to see all that is damaged, and fetch it again from where it came.',
  },
  DIGEST_MISMATCH: {
    meaning: 'The bytes that arrived do not have the digest that was asked for.',
    remedy:
      'The content was damaged or replaced on its way: try again, and distrust the sender if it persists.',
  },
  SIZE_MISMATCH: {
    meaning: 'More or fewer bytes arrived than the descriptor says.',
    remedy:
      'The content was cut off or replaced on its way: try again, and distrust the sender if it persists.',
  },
  GRAPH_TOO_DEEP: {
    meaning: 'Indexes are nested deeper than the limit.',
    remedy: 'Treat the content as hostile, or raise the limit if it is your own.',
  },
  GRAPH_TOO_LARGE: {
    meaning: 'More contents are reached from the roots than the limit.',
    remedy: 'Treat the content as hostile, or raise the limit if it is your own.',
  },
  LAYOUT_INVALID: {
    meaning: 'A folder or archive is not an OCI layout.',
    remedy: 'It must hold oci-layout, index.json and blobs/: check the path.',
  },
  ARCHIVE_INVALID: {
    meaning: 'A file is not an archive that can be read, or its structure is broken.',
    remedy: 'Check that it arrived whole (`sealift verify`), and copy it again if not.',
  },
  ARCHIVE_HOSTILE: {
    meaning:
      'An archive holds what no honest tool writes: escaping paths, links out, devices, duplicates, bombs.',
    remedy: 'Do not use the file, and tell whoever gave it to you.',
  },
  ARCHIVE_NEWER: {
    meaning: 'The archive needs a feature that this version does not know.',
    remedy: 'Use a newer Sealift to read it.',
  },
  UPLOAD_UNKNOWN: {
    meaning: 'There is no such upload; it was finished, cancelled or has expired.',
    remedy: 'Begin the push again.',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
