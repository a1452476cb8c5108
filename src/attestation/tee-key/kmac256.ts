// KMAC256 (NIST SP 800-185) on Keccak-f[1600] (FIPS 202), which node:crypto has only as an experiment of WebCrypto.
// Once per reply to an ML-KEM key, over some hundred bytes: written to be read, not to be fast.

const rate = 136
const word = (1n << 64n) - 1n
const rotate = (value: bigint, by: number) =>
  by === 0 ? value : ((value << BigInt(by)) | (value >> BigInt(64 - by))) & word

/** FIPS 202 section 3.2.5: each bit of a round's constant from a shift register. */
const roundConstants: readonly bigint[] = (() => {
  let register = 1
  const next = () => {
    const bit = register & 1
    register = register & 0x80 ? ((register << 1) ^ 0x71) & 0xff : register << 1
    return bit
  }
  return Array.from({ length: 24 }, () => {
    let constant = 0n
    for (let j = 0; j <= 6; j++) if (next()) constant |= 1n << BigInt(2 ** j - 1)
    return constant
  })
})()

/** FIPS 202 sections 3.2.2 and 3.2.3: where each lane goes, and by how much it is turned. */
const moves = (() => {
  const list: { from: number; to: number; by: number }[] = [{ from: 0, to: 0, by: 0 }]
  let [x, y] = [1, 0]
  for (let t = 0; t < 24; t++) {
    const to = [y, (2 * x + 3 * y) % 5] as const
    list.push({ from: x + 5 * y, to: to[0] + 5 * to[1], by: (((t + 1) * (t + 2)) / 2) % 64 })
    ;[x, y] = to
  }
  return list
})()

function permute(state: bigint[]): void {
  const moved = new Array<bigint>(25).fill(0n)
  for (const constant of roundConstants) {
    const columns = [0, 1, 2, 3, 4].map(
      (x) => state[x]! ^ state[x + 5]! ^ state[x + 10]! ^ state[x + 15]! ^ state[x + 20]!,
    )
    for (let at = 0; at < 25; at++) {
      state[at]! ^= columns[(at + 4) % 5]! ^ rotate(columns[(at + 1) % 5]!, 1)
    }
    for (const { from, to, by } of moves) moved[to] = rotate(state[from]!, by)
    for (let at = 0; at < 25; at++) {
      const row = at - (at % 5)
      state[at] = moved[at]! ^ (~moved[row + ((at + 1) % 5)]! & word & moved[row + ((at + 2) % 5)]!)
    }
    state[0]! ^= constant
  }
}

/** Keccak[512] with cSHAKE's domain bits (SP 800-185 section 3.3), at most one block of output. */
function sponge(message: Uint8Array, outputBytes: number): Buffer {
  const padded = Buffer.alloc((Math.floor(message.length / rate) + 1) * rate)
  padded.set(message)
  padded[message.length]! ^= 0x04
  padded[padded.length - 1]! ^= 0x80
  const state = new Array<bigint>(25).fill(0n)
  for (let block = 0; block < padded.length; block += rate) {
    for (let at = 0; at < rate / 8; at++) state[at]! ^= padded.readBigUInt64LE(block + at * 8)
    permute(state)
  }
  const output = Buffer.alloc(200)
  for (const [at, lane] of state.entries()) output.writeBigUInt64LE(lane, at * 8)
  return output.subarray(0, outputBytes)
}

/** Big-endian, without leading zeros: the number's bytes and how many they are. */
function numberBytes(value: number): Buffer {
  const hex = value.toString(16)
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
}

const leftEncode = (value: number): Buffer => {
  const bytes = numberBytes(value)
  return Buffer.concat([Buffer.from([bytes.length]), bytes])
}

const encodeString = (bytes: Uint8Array): Buffer => Buffer.concat([leftEncode(bytes.length * 8), bytes])

function bytePad(...parts: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.concat([leftEncode(rate), ...parts])
  return Buffer.concat([bytes, Buffer.alloc((rate - (bytes.length % rate)) % rate)])
}

/** KMAC256(key, message, 8 * outputBytes, customization) for at most 136 bytes. */
export function kmac256(
  key: Uint8Array,
  message: Uint8Array,
  outputBytes: number,
  customization: Uint8Array = new Uint8Array(),
): Buffer {
  const bits = numberBytes(outputBytes * 8)
  return sponge(
    Buffer.concat([
      bytePad(encodeString(Buffer.from('KMAC')), encodeString(customization)),
      bytePad(encodeString(key)),
      message,
      bits,
      Buffer.from([bits.length]),
    ]),
    outputBytes,
  )
}
