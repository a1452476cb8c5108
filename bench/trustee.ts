// Trustee's KBS, where somebody has built it (test/peers/trustee-kbs.sh): as `sample`, with one resource for everybody.
import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { freePort } from './peers.ts'

const allowAll = 'package policy\n\ndefault allow = true\n'

/** Its own evidence policy and no record of what it decides: what it does of itself. */
export async function startTrustee(
  program: string,
  folder: string,
  resource: string,
): Promise<{ host: string; pid: number; stop: () => Promise<void> }> {
  mkdirSync(folder, { recursive: true })
  const port = await freePort()
  const host = `127.0.0.1:${port}`
  const config = join(folder, 'kbs.toml')
  writeFileSync(
    config,
    `[http_server]
sockets = ["${host}"]
insecure_http = true
[attestation_token]
insecure_header_jwk = true
[attestation_service]
type = "coco_as_builtin"
[attestation_service.attestation_token_broker]
duration_min = 5
[attestation_service.rvps_config]
type = "BuiltIn"
[storage_backend]
storage_type = "LocalFs"
[storage_backend.backends.local_fs]
dir_path = "${folder}/storage"
[admin]
authorization_mode = "InsecureAllowAll"
[[plugins]]
name = "resource"
storage_backend_type = "kvstorage"
`,
  )
  const env = { ...process.env, RUST_LOG: 'error' }
  const child = spawn(program, ['--config-file', config], { stdio: 'ignore', cwd: folder, env })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
  }
  const post = (path: string, body: string | Buffer) =>
    fetch(`http://${host}/kbs/v0/${path}`, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    })
  const policy = JSON.stringify({ policy: Buffer.from(allowAll).toString('base64url') })
  for (let attempt = 0; attempt < 100; attempt++) {
    const isUp = await post('resource-policy', policy).then(
      (reply) => reply.ok,
      () => false,
    )
    if (isUp) {
      await post(`resource/${resource}`, Buffer.alloc(32, 7))
      return { host, pid: child.pid as number, stop }
    }
    await wait(50)
  }
  await stop()
  throw new Error('Trustee did not start')
}
