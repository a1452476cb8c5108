import type { OnProgress } from '#base/index.ts'
import type { Context } from '../context.ts'
import { bytes, oneLine } from './print.ts'

/** Nothing is shown of what is done within this time. */
const silentMs = 1000
const terminalEveryMs = 100
const plainEveryMs = 5000

export interface Progress {
  readonly onProgress: OnProgress
  /** Takes the line away; call it before the result is printed. */
  end(): void
}

/**
 * Shows progress on stderr: one line that is rewritten on a terminal, a plain line every few seconds elsewhere,
 * nothing where the work takes less than a second. The figures never go backwards.
 */
export function showProgress(context: Context, now: () => number = () => performance.now()): Progress {
  const { stderr } = context.process
  const start = now()
  let phase = 'working'
  let total = 0
  let reached = 0
  let shown = start
  const draw = () => {
    const time = now()
    const every = stderr.isTTY ? terminalEveryMs : plainEveryMs
    if (time - start < silentMs || (shown !== start && time - shown < every)) return
    const rate = reached / ((time - start) / 1000)
    shown = time
    const share = total > 0 ? ` ${Math.min(100, Math.floor((reached / total) * 100))} %` : ''
    const left = total > reached && rate > 0 ? `, ${Math.ceil((total - reached) / rate)} s left` : ''
    const line = `${phase}:${share} ${bytes(reached)}${total > 0 ? ` of ${bytes(total)}` : ''}, ${bytes(rate)}/s${left}`
    stderr.write(stderr.isTTY ? `\r\x1b[2K${line.slice(0, (stderr.columns ?? 80) - 1)}` : `${line}\n`)
  }
  return {
    onProgress: (event) => {
      if (event.type === 'phase') phase = event.name
      else if (event.type === 'total') total = Math.max(total, event.sizeBytes)
      else if (event.type === 'advance') reached += event.sizeBytes
      else if (event.type === 'note')
        stderr.write(`${stderr.isTTY ? '\r\x1b[2K' : ''}${oneLine(event.text)}\n`)
      draw()
    },
    end: () => {
      if (stderr.isTTY && shown !== start) stderr.write('\r\x1b[2K')
    },
  }
}
