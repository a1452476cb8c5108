import { toBuffer, toString as toText } from 'qrcode'

/** ISO 18004: byte mode at the lowest level of correction holds 2,953 bytes. */
const options = { errorCorrectionLevel: 'L' } as const

/** A receipt as a picture: PNG, four pixels a module with the quiet zone of four modules. */
export const qrPng = (text: string): Promise<Buffer> =>
  toBuffer(text, { ...options, type: 'png', scale: 4, margin: 4 })

/** A receipt in half blocks, for a terminal: dark on light whatever its colours are where `invert` is not needed. */
export const qrText = (text: string): Promise<string> => toText(text, { ...options, type: 'utf8', margin: 2 })
