import { cost, median } from '../measure.ts'
import type { Setting } from '../setting.ts'

/** How long the command line takes to say anything. */
export async function startGroup({ sealift, runs, report }: Setting): Promise<void> {
  report.group('Starting', 'From starting the process to its end.')
  for (const [args, most] of [
    [['--version'], 80],
    [['pack', '--help'], undefined],
  ] as const) {
    await cost([[sealift, ...args]])
    const times: number[] = []
    for (let run = 0; run < runs * 2; run++) times.push((await cost([[sealift, ...args]])).wallMs)
    report.figure(`sealift ${args.join(' ')}`, median(times), 'ms', most)
  }
}
