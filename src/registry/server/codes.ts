import { type CodeTable, failures } from '#base/index.ts'

export const codes = {
  LISTEN_FAILED: {
    meaning: 'The server could not take the address it was told to listen on.',
    remedy: 'Choose another port (or port 0 for any), or stop the program that has it.',
  },
  LISTEN_ADDRESS_INVALID: {
    meaning: 'A text is not an address to listen on.',
    remedy: 'Write it as HOST:PORT, for instance 127.0.0.1:5000 or [::]:5000.',
  },
  TLS_FILES_INVALID: {
    meaning: 'The certificate and the key for TLS cannot be read or do not belong together.',
    remedy: 'Give a PEM certificate chain and its unencrypted PEM private key.',
  },
  HTPASSWD_INVALID: {
    meaning: 'The password file cannot be read, or a line of it is not USER:HASH with a bcrypt hash.',
    remedy: 'Write it with `htpasswd -B`; other hashes are too weak and are refused.',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
