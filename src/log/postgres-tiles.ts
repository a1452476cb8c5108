import type { Query } from './postgres-database.ts'
import { encodeBundle, parseTilePath } from './tiles.ts'
import type { TileStore } from './types.ts'

/**
 * `pending` is a checkpoint that is signed and covers all there is, and for which witnesses are still to be asked.
 * Hashes and entries are rows that are only ever added, so that a group of appends writes nothing twice; tiles are put
 * together when they are read.
 */
export const schema = `
create table if not exists sealift_log (
  id integer generated always as identity primary key,
  origin text not null unique,
  size bigint not null,
  note text not null,
  pending text
);
create table if not exists sealift_log_hash (
  log integer not null references sealift_log,
  level smallint not null,
  index bigint not null,
  hash bytea not null,
  primary key (log, level, index)
);
create table if not exists sealift_log_entry (
  log integer not null references sealift_log,
  index bigint not null,
  entry bytea not null,
  primary key (log, index)
);`

/** A log in the database as the files of tlog-tiles. */
export function postgresTiles(query: Query, log: number): TileStore {
  const rowsOf = async (text: string, values: readonly unknown[]): Promise<Uint8Array[]> =>
    (await query(text, values)).map(({ bytes }) => bytes as Uint8Array)
  return {
    async read(path, maxBytes) {
      if (path === 'checkpoint') {
        const [row] = await query('select note from sealift_log where id = $1', [log])
        return row && Buffer.from(row.note as string).subarray(0, maxBytes)
      }
      const tile = parseTilePath(path)
      if (!tile) return undefined
      const from = tile.index * 256
      const range = [log, from, from + tile.width]
      const rows =
        tile.level === 'entries'
          ? await rowsOf(
              'select entry as bytes from sealift_log_entry where log = $1 and index >= $2 and index < $3 order by index',
              range,
            )
          : await rowsOf(
              'select hash as bytes from sealift_log_hash where log = $1 and index >= $2 and index < $3 and level = $4 order by index',
              [...range, tile.level],
            )
      if (rows.length < tile.width) return undefined
      const bytes = tile.level === 'entries' ? encodeBundle(rows) : Buffer.concat(rows)
      return bytes.subarray(0, maxBytes)
    },
  }
}
