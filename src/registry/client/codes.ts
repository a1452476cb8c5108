import { type CodeTable, failures } from '#base/index.ts'

export const codes = {
  REGISTRY_UNREACHABLE: {
    meaning: 'No connection to a registry (or to the server that gives out its tokens) comes about.',
    remedy: 'Check the host name, the port, the network and the proxy settings.',
  },
  REGISTRY_CONNECTION_LOST: {
    meaning: 'The connection to a registry broke again and again in the middle of an exchange.',
    remedy: 'Run the same command again: it takes up where it was.',
  },
  REGISTRY_STALLED: {
    meaning: 'A registry sent nothing, or next to nothing, for too long.',
    remedy: 'Run the same command again: it takes up where it was.',
  },
  REGISTRY_TLS: {
    meaning:
      'The TLS connection to a registry was refused: its certificate is not trusted, or it wants ours.',
    remedy: 'Put the CA (and a client certificate) into ~/.config/containers/certs.d/HOST:PORT/.',
  },
  REGISTRY_PLAIN_HTTP: {
    meaning: 'Plain HTTP to a host that is neither on loopback nor named as one to be reached so.',
    remedy: 'Use HTTPS, or name the host as a plain HTTP one.',
  },
  REGISTRY_UNAUTHORIZED: {
    meaning: 'A registry wants credentials, or does not accept those it got.',
    remedy: 'Log in (`podman login HOST` or `docker login HOST`), and check that the account may do this.',
  },
  REGISTRY_FORBIDDEN: {
    meaning: 'A registry knows who asks and refuses.',
    remedy: 'Ask the owner of the repository for the right to do this.',
  },
  REGISTRY_TOKEN_INVALID: {
    meaning: 'The server that gives out tokens for a registry answered something that is not a token.',
    remedy: 'Ask the administrator of the registry to look at its token server.',
  },
  REGISTRY_BUSY: {
    meaning: 'A registry kept answering that there were too many requests, or asked for a very long wait.',
    remedy: 'Wait, then run the same command again: it takes up where it was.',
  },
  REGISTRY_FAILED: {
    meaning: 'A registry kept answering with an error of its own (5xx).',
    remedy: 'Ask the administrator of the registry to look at its log, then run the same command again.',
  },
  REGISTRY_REFUSED: {
    meaning: 'A registry refused a request for the reason it gives.',
    remedy: 'See the reason in the message.',
  },
  REGISTRY_UNSUPPORTED: {
    meaning: 'A registry does not do what was asked of it.',
    remedy: 'Use another registry for this, or allow it in the settings of this one.',
  },
  REGISTRY_TOO_LARGE: {
    meaning: 'A registry, or a proxy before it, does not take content of this size.',
    remedy: 'Raise the limit of the registry or of the proxy before it.',
  },
  REGISTRY_ANSWER_INVALID: {
    meaning: 'The answer of a registry does not follow the distribution specification or HTTP.',
    remedy:
      'Check that the host is a registry. If it is, distrust it, or ask its administrator what is before it.',
  },
  REGISTRY_REDIRECT_REFUSED: {
    meaning: 'A registry sends to a place where it is not safe to follow, or in circles.',
    remedy: 'Check the address of the registry, and its settings for the addresses it hands out.',
  },
  REGISTRY_DIGEST_REFUSED: {
    meaning:
      'A registry says that pushed bytes do not have their digest, although the source holds the right ones.',
    remedy: 'The bytes were damaged on their way or inside the registry: try again, then look there.',
  },
  REGISTRY_SPARSE_REFUSED: {
    meaning: 'A registry does not take an index some of whose children are absent.',
    remedy: 'Copy all platforms, or allow sparse indexes in the settings of the registry.',
  },
  REGISTRY_REFERRERS_CONFLICT: {
    meaning:
      'The tag that lists the referrers of a manifest holds something else, or others keep replacing it.',
    remedy: 'Look at what the tag holds; then run the same command again.',
  },
  CREDENTIALS_INVALID: {
    meaning: 'A file with credentials cannot be read.',
    remedy: 'Correct the file, or remove it and log in again.',
  },
  CREDENTIAL_HELPER_FAILED: {
    meaning: 'A credential helper is missing, failed, or answered something else than credentials.',
    remedy: 'Run `docker-credential-NAME get` by hand, with the registry on its standard input.',
  },
  CERTIFICATES_INVALID: {
    meaning: 'A certificate or key in a certs.d folder (or SSL_CERT_FILE) cannot be used.',
    remedy: 'Each NAME.cert needs its NAME.key beside it; certificates and keys are PEM.',
  },
  PROXY_INVALID: {
    meaning: 'HTTP_PROXY or HTTPS_PROXY is not the URL of a proxy.',
    remedy: 'Write it as http://HOST:PORT or https://HOST:PORT.',
  },
} as const satisfies CodeTable

export const failure = failures(codes)
