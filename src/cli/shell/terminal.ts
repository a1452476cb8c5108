import { closeSync, openSync, writeSync } from 'node:fs'
import { ReadStream } from 'node:tty'
import { baseFailure, limits } from '#base/index.ts'
import { failure } from '../codes.ts'
import { legible } from './print.ts'

/**
 * Asks at the controlling terminal, whatever stdin and stdout are; what is typed is not shown. Undefined where the
 * process has no terminal.
 *
 * @throws INTERRUPTED for Ctrl-C, the signal's reason, PASSWORD_INVALID for more than fits
 */
export async function askHidden(question: string, signal: AbortSignal): Promise<string | undefined> {
  let descriptor: number
  try {
    descriptor = openSync('/dev/tty', 'r+')
  } catch {
    return undefined
  }
  const terminal = openTerminal(descriptor)
  if (!terminal) return undefined
  // Raw mode first: what is typed ahead must not be shown either.
  terminal.setRawMode(true)
  writeSync(descriptor, legible(question))
  try {
    return await typed(terminal, signal)
  } finally {
    terminal.setRawMode(false)
    writeSync(descriptor, '\n')
    terminal.destroy()
  }
}

function openTerminal(descriptor: number): ReadStream | undefined {
  try {
    return new ReadStream(descriptor)
  } catch {
    closeSync(descriptor)
    return undefined
  }
}

/** The line that is typed. In raw mode the keys that the terminal would have handled are ours to handle. */
function typed(terminal: ReadStream, signal: AbortSignal): Promise<string> {
  terminal.setEncoding('utf8')
  const characters: string[] = []
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    terminal.on('error', reject)
    terminal.on('end', () => resolve(characters.join('')))
    terminal.on('data', (text) => {
      for (const character of String(text)) {
        if (character === '\r' || character === '\n' || character === '\x04') resolve(characters.join(''))
        else if (character === '\x03')
          reject(baseFailure('INTERRUPTED', 'stopped at the question for a password'))
        else if (character === '\x7f' || character === '\b') characters.pop()
        else if (character === '\x15') characters.length = 0
        else if (characters.push(character) > limits.passwordBytes) {
          reject(failure('PASSWORD_INVALID', `a password has at most ${limits.passwordBytes} bytes`))
        }
      }
    })
  })
}
