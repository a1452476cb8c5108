import { verify } from 'node:crypto'
import { failure } from './codes.ts'
import { ed25519, keyObject, type NoteKey, noteKey, noteTypes, type SigningKey } from './note-key.ts'
import type { NoteSigner, NoteVerifier } from './types.ts'

/**
 * Cosigns checkpoints with the time (C2SP tlog-cosignature, Ed25519): says that this is the largest consistent tree
 * that was seen of its origin. Only a `Witness` may say that, who remembers what it has seen.
 *
 * @throws NOTE_KEY_INVALID
 */
export function cosigner(name: string, key: SigningKey, now: () => Date): NoteSigner & NoteKey {
  const sign = ed25519(key)
  return {
    ...noteKey(name, key, noteTypes.cosignature),
    async sign(text) {
      const seconds = BigInt(Math.floor(now().getTime() / 1000))
      const time = Buffer.alloc(8)
      time.writeBigUInt64BE(seconds)
      return Buffer.concat([time, await sign(message(seconds, text))])
    },
  }
}

/** Verifies cosignatures of a witness (type 0x04). A time in the future is not looked at: that is a policy's. */
export function cosignatureVerifier(key: NoteKey): NoteVerifier {
  const publicKey = keyObject(key)
  return {
    name: key.name,
    keyId: key.keyId,
    verify(text, signature) {
      const time = signature.length === 72 ? cosignedAt(signature) : undefined
      if (time === undefined || !verify(null, message(time, text), publicKey, signature.subarray(8))) {
        throw failure('NOTE_SIGNATURE_INVALID', `${key.name} has not cosigned this checkpoint`)
      }
    },
  }
}

/** When a cosignature was made, in seconds since the epoch; it must be verified before that means anything. */
export function cosignedAt(signature: Uint8Array): bigint | undefined {
  const time = Buffer.from(signature).readBigUInt64BE(0)
  return time < 2n ** 63n ? time : undefined
}

function message(seconds: bigint, text: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`cosignature/v1\ntime ${seconds}\n`), text])
}
