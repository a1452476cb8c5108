import { type CodeTable, failures } from '#base/index.ts'

export const codes = {
  KEY_INVALID: {
    meaning: 'A text or its bytes are not a key that can be read, or are more than one.',
    remedy: 'Give one public key in PEM (`sealift key show FILE` prints it), or one private key in PKCS#8.',
  },
  KEY_TYPE_REFUSED: {
    meaning: 'A key is of a type, curve or size that is not used here.',
    remedy: 'Use Ed25519, ECDSA on P-256, P-384 or P-521, or RSA of 2048 to 8192 bits.',
  },
  KEY_FILE_INVALID: {
    meaning:
      'An encrypted key file is malformed, asks for too much work, or holds something other than PKCS#8.',
    remedy: 'Check that the file arrived whole; `sealift key import` takes plain keys in PEM.',
  },
  KEY_PASSWORD_WRONG: {
    meaning: 'The password does not open the key file.',
    remedy: 'Give the password with which the file was written; a damaged file looks the same.',
  },
  SIGNING_FAILED: {
    meaning: 'The holder of a private key did not sign.',
    remedy: 'Check that the key is there and may be used; the cause says more.',
  },
  SIGNATURE_INVALID: {
    meaning: 'A signature was not made by this key over these bytes.',
    remedy: 'Do not use the content: it was changed, or signed with another key.',
  },
  CERTIFICATE_INVALID: {
    meaning: 'A certificate, or a list of them, cannot be read.',
    remedy: 'Give certificates in PEM, each whole.',
  },
  CERTIFICATE_REQUEST_INVALID: {
    meaning: 'A certificate request (PKCS#10) is malformed, or was not signed with the key it names.',
    remedy: 'Have its sender make a new one.',
  },
  CERTIFICATE_TERMS_INVALID: {
    meaning: 'A certificate was asked for that its authority may not issue, or that would mean nothing.',
    remedy: 'Check names, times and path length against those of the authority.',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
