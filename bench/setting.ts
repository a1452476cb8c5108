import type { Corpus } from './corpus.ts'
import type { Report } from './report.ts'

/** What every group of measurements is given. */
export interface Setting {
  readonly folder: string
  readonly corpus: Corpus
  readonly runs: number
  readonly sealift: string
  readonly report: Report
}
