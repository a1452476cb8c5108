import { isAbsolute, join } from 'node:path'
import { NotToml, parseToml } from '#attestation/index.ts'
import { type Json, jsonAt, secretLimits } from '#base/index.ts'
import { failure } from '../codes.ts'
import { planAdmin } from './plan-admin.ts'
import { planPlugins } from './plan-plugins.ts'
import { planReferences, planStorage } from './plan-storage.ts'

/** A member of Trustee's configuration, and what became of it. */
export interface ImportNote {
  /** `http_server.sockets`. */
  readonly from: string
  /** The member of broker.yaml, or what is done with it; absent where nothing is. */
  readonly to?: string
  /** Why nothing is, or what is left to do. */
  readonly why?: string
}

/** What makes a broker out of a configuration of Trustee's. Files have not been looked at. */
export interface ImportPlan {
  readonly notes: readonly ImportNote[]
  readonly issuer?: string
  readonly listen?: string
  /** Members of broker.yaml by their path. */
  readonly members: readonly { readonly path: readonly string[]; readonly value: Json }[]
  /** Who may administer, by files with public keys. */
  readonly admins: readonly { readonly principal: string; readonly publicKey: string }[]
  /** Policies by name: files to read. */
  readonly policies: readonly { readonly name: 'resource'; readonly path: string }[]
  /** Folders with attestation policies: ID.rego. */
  readonly policyFolders: readonly string[]
  readonly resources: readonly ResourceSource[]
  readonly stored: readonly StoredSource[]
}

/** Where resources lie: folders REPOSITORY/TYPE/TAG, one folder with keys as names, or a file of keys and values. */
export interface ResourceSource {
  readonly kind: 'tree' | 'folder' | 'json'
  readonly path: string
}

/** Where policies and reference values lie, in Trustee's storage. */
export interface StoredSource {
  readonly kind: 'folder' | 'json'
  readonly path: string
  readonly holds: 'resourcePolicy' | 'attestationPolicies' | 'references'
}

/** A plan while it is made. */
export class Draft {
  readonly document: Json
  readonly #base: string
  readonly #seen = new Set<string>()
  readonly notes: ImportNote[] = []
  readonly members: { readonly path: readonly string[]; readonly value: Json }[] = []
  readonly admins: { readonly principal: string; readonly publicKey: string }[] = []
  readonly policies: { readonly name: 'resource'; readonly path: string }[] = []
  readonly policyFolders: string[] = []
  readonly resources: ResourceSource[] = []
  readonly stored: StoredSource[] = []

  constructor(document: Json, base: string) {
    this.document = document
    this.#base = base
  }

  /** A member that is dealt with from now on: `http_server.sockets`. */
  at(from: string): Json | undefined {
    this.#seen.add(from)
    return jsonAt(this.document, `/${from.replaceAll('.', '/')}`)
  }

  textAt(from: string): string | undefined {
    const value = this.at(from)
    return typeof value === 'string' && value !== '' ? value : undefined
  }

  pathOf(path: string): string {
    return isAbsolute(path) ? path : join(this.#base, path)
  }

  did(from: string, to: string, why?: string): void {
    this.notes.push({ from, to, ...(why !== undefined && { why }) })
  }

  cannot(from: string, why: string): void {
    this.#seen.add(from)
    this.notes.push({ from, why })
  }

  set(from: string, to: string, value: Json): void {
    this.members.push({ path: to.split('.'), value })
    this.did(from, to)
  }

  /** All that nobody asked about: a member that is passed over is one that somebody relies on. */
  tellTheRest(value: Json = this.document, name = ''): void {
    if (this.#seen.has(name)) return
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.cannot(name, 'there is nothing like it here')
      return
    }
    for (const [member, inner] of Object.entries(value))
      this.tellTheRest(inner, name ? `${name}.${member}` : member)
  }
}

/**
 * What can be taken over of a configuration of Trustee's KBS (TOML).
 *
 * @param base where relative paths in it begin
 * @throws BROKER_CONFIGURATION_INVALID
 */
export function planImport(text: string, base: string): ImportPlan {
  const draft = new Draft(read(text), base)
  const listen = planServer(draft)
  planAdmin(draft)
  const issuer = planAttestation(draft)
  planPolicies(draft)
  planPlugins(draft)
  planStorage(draft)
  draft.tellTheRest()
  const { notes, members, admins, policies, policyFolders, resources, stored } = draft
  return {
    ...{ notes, members, admins, policies, policyFolders, resources, stored },
    ...(issuer !== undefined && { issuer }),
    ...(listen !== undefined && { listen }),
  }
}

function read(text: string): Json {
  if (text.length > secretLimits.configurationBytes) throw invalid('it is too large')
  try {
    return parseToml(text, 16)
  } catch (error) {
    if (error instanceof NotToml) throw invalid(error.message)
    throw error
  }
}

/** As `listen` of broker.yaml. */
const socket = /^(\[[0-9A-Fa-f:.]{2,64}\]|[^:\s]{1,253}):[0-9]{1,5}$/
const noCertificate = 'put a certificate and its key under `tls`, or guests speak plain HTTP'

function planServer(draft: Draft): string | undefined {
  const sockets = draft.at('http_server.sockets')
  const [first, ...others] = Array.isArray(sockets) ? sockets : []
  const listen = typeof first === 'string' && socket.test(first) ? first : undefined
  if (listen !== undefined) draft.did('http_server.sockets', 'listen')
  else if (sockets !== undefined) draft.cannot('http_server.sockets', 'it names no address (HOST:PORT)')
  if (others.length > 0)
    draft.cannot('http_server.sockets', 'guests have one listener: the first address is taken')
  const certificate = draft.textAt('http_server.certificate')
  const key = draft.textAt('http_server.private_key')
  const insecure = draft.at('http_server.insecure_http')
  if (insecure !== undefined) draft.did('http_server.insecure_http', insecure === true ? 'no `tls`' : 'tls')
  if (insecure !== true) {
    if (certificate !== undefined && key !== undefined)
      draft.set('http_server.certificate, private_key', 'tls', {
        certificate: draft.pathOf(certificate),
        key: draft.pathOf(key),
      })
    else draft.cannot('http_server.certificate', noCertificate)
  } else if (certificate !== undefined)
    draft.cannot('http_server.certificate', 'plain HTTP is spoken, as insecure_http says')
  const megabytes = draft.at('http_server.payload_request_size')
  if (typeof megabytes === 'number' && megabytes >= 1 && megabytes <= 64)
    draft.set('http_server.payload_request_size', 'limits.bodyBytes', Math.floor(megabytes) * 1024 * 1024)
  else if (megabytes !== undefined)
    draft.cannot('http_server.payload_request_size', 'bodies have 1 to 64 MiB here')
  if (draft.at('http_server.worker_count') !== undefined)
    draft.cannot('http_server.worker_count', 'one process serves; for more, start replicas over one database')
  for (const name of ['tls_profile', 'tls_min_version', 'tls_max_version', 'tls_ciphers', 'tls_groups'])
    if (draft.at(`http_server.${name}`) !== undefined)
      draft.cannot(`http_server.${name}`, 'TLS 1.2 and 1.3 are spoken, with the ciphers and groups of Node')
  return listen
}

function planAttestation(draft: Draft): string | undefined {
  const kind = draft.textAt('attestation_service.type')
  const service = 'attestation_service.type'
  if (kind === undefined || /builtin$/.test(kind))
    draft.did(service, 'built in', 'say under `tees` whose evidence counts')
  else draft.cannot(service, `${kind} is not asked: evidence is verified by the broker itself`)
  if (draft.at('attestation_service.timeout') !== undefined)
    draft.cannot('attestation_service.timeout', 'nobody else is asked, so nobody is waited for')
  const broker = 'attestation_service.attestation_token_broker'
  const minutes = draft.at(`${broker}.duration_min`)
  if (typeof minutes === 'number' && minutes > 0 && minutes <= 1440)
    draft.set(`${broker}.duration_min`, 'tokenSeconds', Math.max(10, Math.round(minutes * 60)))
  const named = draft.textAt(`${broker}.issuer_name`)
  const issuer = named !== undefined && /^[^\p{C}\s]{1,1024}$/u.test(named) ? named : undefined
  if (issuer !== undefined) draft.did(`${broker}.issuer_name`, 'issuer')
  else if (named !== undefined)
    draft.cannot(`${broker}.issuer_name`, 'an issuer has no white space here, as others compare it')
  if (draft.at(`${broker}.signer`) !== undefined)
    draft.cannot(`${broker}.signer`, 'the broker makes its own keys; others read its JWK set')
  const folder = draft.textAt(`${broker}.policy_dir`)
  if (folder !== undefined) draft.policyFolders.push(draft.pathOf(folder))
  if (folder !== undefined) draft.did(`${broker}.policy_dir`, 'policies attestation/ID')
  planReferences(draft)
  for (const name of ['trusted_jwk_sets', 'trusted_certs_paths'])
    if (draft.at(`attestation_token.${name}`) !== undefined)
      draft.cannot(
        `attestation_token.${name}`,
        'who issues those tokens has to be said too: write it under `trustedTokens`',
      )
  for (const name of ['insecure_header_jwk', 'insecure_key'])
    if (draft.at(`attestation_token.${name}`) === true)
      draft.cannot(`attestation_token.${name}`, 'a key in a token is never believed by itself')
    else if (draft.at(`attestation_token.${name}`) === false)
      draft.did(`attestation_token.${name}`, 'always so')
  return issuer
}

function planPolicies(draft: Draft): void {
  const path = draft.textAt('policy_engine.policy_path')
  if (path === undefined) return
  draft.policies.push({ name: 'resource', path: draft.pathOf(path) })
  draft.did('policy_engine.policy_path', 'the policy `resource`')
}

const invalid = (why: string) =>
  failure('BROKER_CONFIGURATION_INVALID', `the configuration of Trustee cannot be read: ${why}`)
