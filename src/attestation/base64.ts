/** Bytes of base64 as it is canonical in its alphabet (RFC 4648 section 3.5), or undefined. */
export const fromBase64 = (text: string): Buffer | undefined => canonical(text, 'base64')

/** The same of base64url without padding, the only form in JOSE (RFC 7515 section 2). */
export const fromBase64Url = (text: string): Buffer | undefined => canonical(text, 'base64url')

export const toBase64Url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')

export const toBase64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

function canonical(text: string, encoding: 'base64' | 'base64url'): Buffer | undefined {
  const bytes = Buffer.from(text, encoding)
  // Node reads leniently; what does not come back the same was not canonical.
  return bytes.toString(encoding) === text ? bytes : undefined
}
