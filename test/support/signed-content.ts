import type { Json } from '../../src/base/index.ts'
import { generateKeyPair, privateKeySigner, publicKeyPem, type Signer } from '../../src/keys/index.ts'
import { type Digest, digestOf } from '../../src/oci/index.ts'
import { parseTrustPolicy, type TrustPolicy } from '../../src/policy/index.ts'
import {
  formatStatement,
  imageSignatureType,
  keySignatory,
  type Proof,
  proofOf,
  sealStatement,
} from '../../src/trust/index.ts'

/** Somebody who signs, in memory. */
export interface TestSigner {
  readonly signer: Signer
  readonly pem: string
  readonly keyId: string
  /** A bundle that says that this predicate holds of the digest; a plain signature where none is given. */
  prove(digest: Digest, predicateType?: string, predicate?: Json): Promise<Proof>
}

export async function testSigner(): Promise<TestSigner> {
  const { privateKey, publicKey } = await generateKeyPair('ed25519')
  const signer = privateKeySigner(privateKey)
  const means = { signatory: keySignatory(signer), witnesses: [] }
  return {
    signer,
    pem: publicKeyPem(publicKey),
    keyId: publicKey.id,
    async prove(digest, predicateType = imageSignatureType, predicate = {}) {
      const { bundle } = await sealStatement(formatStatement([{ digest }], predicateType, predicate), means)
      return proofOf('bundle', bundle)
    },
  }
}

/** A trust policy whose files are all in its text. */
export const policyOf = (document: object): Promise<TrustPolicy> =>
  parseTrustPolicy(
    JSON.stringify({ apiVersion: 'sealift.dev/v1', kind: 'TrustPolicy', name: 'test', ...document }),
    {
      path: 'policy.yaml',
      readFile: async (path) => {
        throw new Error(`the policy of a test names no file: ${path}`)
      },
    },
  )

export const contentDigest = (text: string): Digest => digestOf(Buffer.from(text))
