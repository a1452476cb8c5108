/** One input made from others: a few random changes of bytes, pieces and words. */
export function mutate(
  inputs: readonly Uint8Array[],
  words: readonly Uint8Array[],
  random: () => number,
): Uint8Array {
  const upTo = (count: number) => Math.floor(random() * count)
  const any = <T>(values: readonly T[]): T => values[upTo(values.length)]!
  let bytes = any(inputs)
  const changes = 1 + upTo(4)
  for (let change = 0; change < changes; change++) {
    const at = upTo(bytes.length + 1)
    const to = Math.min(bytes.length, at + 1 + upTo(random() < 0.5 ? 4 : 64))
    const put = (piece: Uint8Array, end = at) =>
      Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(end)])
    switch (upTo(8)) {
      case 0:
        bytes = put(Buffer.of(upTo(256)), to)
        break
      case 1:
        bytes = put(Buffer.of((bytes[at] ?? 0) ^ (1 << upTo(8))), at + 1)
        break
      case 2:
        bytes = put(new Uint8Array(0), to)
        break
      case 3:
        bytes = put(bytes.subarray(at, to))
        break
      case 4:
        if (words.length > 0) bytes = put(any(words), random() < 0.5 ? at : to)
        break
      case 5: {
        // The beginning of one and the end of another.
        const other = any(inputs)
        bytes = Buffer.concat([bytes.subarray(0, at), other.subarray(upTo(other.length + 1))])
        break
      }
      case 6: {
        const piece = bytes.subarray(at, to)
        bytes = put(Buffer.concat(Array.from({ length: 1 + upTo(random() < 0.1 ? 2000 : 8) }, () => piece)))
        break
      }
      default:
        bytes = bytes.subarray(0, at)
    }
  }
  return bytes.length > 64 * 1024 ? bytes.subarray(0, 64 * 1024) : bytes
}
