import type { Json } from '#base/index.ts'
import type { Draft } from './plan-import.ts'

/** Keys of admins, in each way that Trustee has said them. Who may do what is in access.yaml afterwards. */
export function planAdmin(draft: Draft): void {
  const key = draft.textAt('admin.auth_public_key')
  if (key !== undefined) {
    draft.admins.push({ principal: 'user:trustee-admin', publicKey: draft.pathOf(key) })
    draft.did('admin.auth_public_key', 'admin.keys, as user:trustee-admin')
  }
  planPersonas(draft)
  if (draft.at('admin.insecure_api') === true)
    draft.cannot('admin.insecure_api', 'an admin always has to prove who it is')
  else if (draft.at('admin.insecure_api') === false) draft.did('admin.insecure_api', 'always so')
  for (const name of ['admin.authorization_mode', 'admin.type']) {
    const mode = draft.textAt(name)
    if (mode === 'InsecureAllowAll') draft.cannot(name, 'an admin always has to prove who it is')
    else if (mode !== undefined)
      draft.did(name, 'access.yaml', 'nobody but you and the keys that are named here')
  }
  if (isGiven(draft.at('admin.authentication.bearer_jwt.identity_providers')))
    draft.cannot(
      'admin.authentication.bearer_jwt.identity_providers',
      'whom their tokens are for has to be said too: write them under `admin.issuers`, with JWK sets',
    )
  if (isGiven(draft.at('admin.authorization.regex_acl.acls')))
    draft.cannot(
      'admin.authorization.regex_acl.acls',
      'roles are given over repositories and not over paths: write grants into access.yaml',
    )
  // The sections themselves, where nothing is in them.
  for (const name of ['admin.authentication.bearer_jwt', 'admin.authorization.regex_acl'])
    if (isEmpty(draft.at(name))) draft.did(name, 'nothing, as nothing is in it')
}

/** `personas = [{ id = "admin", public_key_path = "..." }]`, at the top or beneath `simple`. */
function planPersonas(draft: Draft): void {
  for (const name of ['admin.personas', 'admin.simple.personas']) {
    const personas = draft.at(name)
    if (!Array.isArray(personas)) continue
    for (const [at, persona] of personas.entries()) {
      const { id, public_key_path: path } = (persona ?? {}) as Record<string, Json>
      if (typeof id !== 'string' || !/^[A-Za-z0-9._@-]{1,128}$/.test(id) || typeof path !== 'string') {
        draft.cannot(`${name}[${at}]`, 'it names no id and public_key_path that can be taken over')
        continue
      }
      draft.admins.push({ principal: `user:${id}`, publicKey: draft.pathOf(path) })
      draft.did(`${name}[${at}]`, `admin.keys, as user:${id}`)
    }
  }
}

const isGiven = (value: Json | undefined) => Array.isArray(value) && value.length > 0
const isEmpty = (value: Json | undefined) =>
  typeof value === 'object' && value !== null && Object.keys(value).length === 0
