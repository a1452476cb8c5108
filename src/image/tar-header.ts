import {
  parseTarHeader as parseHeader,
  parsePaxRecords as parsePax,
  type TarHeader,
  type TarRefusal,
  tarText as textOf,
} from '#content/index.ts'
import { failure } from './codes.ts'

/** How the headers of a tar file are refused where the file is a layer. */
const refuse: TarRefusal = (kind, why, cause) =>
  failure(kind === 'invalid' ? 'LAYER_INVALID' : 'LAYER_UNSUPPORTED', why, { cause })

/** @throws LAYER_INVALID, LAYER_UNSUPPORTED */
export const parseTarHeader = (block: Uint8Array): TarHeader => parseHeader(block, refuse)

/** The records of an extended header. @throws LAYER_INVALID */
export const parsePaxRecords = (bytes: Uint8Array): ReadonlyMap<string, string> => parsePax(bytes, refuse)

/** A name as a text. @throws LAYER_INVALID */
export const tarText = (bytes: Uint8Array): string => textOf(bytes, refuse)

export const invalid = (why: string, cause?: unknown) => refuse('invalid', why, cause)
