/**
 * OpenBao itself as a process, in development mode on a loopback port, over TLS under an authority of its own. Only where this
 * machine has it: Debian does not, and .ci/run fetches it (test/tools/requirements.txt).
 */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe } from 'vitest'
import { freePort } from './free-port.ts'

export interface OpenBao {
  /** `https://127.0.0.1:4711` */
  readonly url: string
  /** PEM. */
  readonly authorities: string
  readonly folder: string
  /** With which the program `bao` asks it as root. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** As root: `ask('POST', 'transit/keys/kek')`. Throws for what is not 2xx. */
  readonly ask: (method: string, path: string, body?: object) => Promise<unknown>
  readonly seal: () => Promise<void>
  readonly unseal: () => Promise<void>
  readonly printed: () => string
  readonly close: () => Promise<void>
}

const ROOT_TOKEN = 'of-this-test-alone'

export function describeWithOpenBao(title: string, body: () => void): void {
  const missing = spawnSync('bao', ['version'], { stdio: 'ignore' }).error !== undefined
  describe.skipIf(missing)(missing ? `${title} (skipped: there is no bao)` : title, body)
}

export async function openBao(): Promise<OpenBao> {
  const folder = mkdtempSync(join(tmpdir(), 'vouchsafe-bao-'))
  const port = await freePort()
  const url = `https://127.0.0.1:${port}`
  const ca = join(folder, 'vault-ca.pem')
  const env = {
    PATH: process.env.PATH,
    HOME: folder,
    BAO_ADDR: url,
    BAO_CACERT: ca,
    BAO_TOKEN: ROOT_TOKEN,
  }
  const args = ['server', '-dev', '-dev-tls', `-dev-tls-cert-dir=${folder}`, '-dev-no-store-token']
  const own = [`-dev-listen-address=127.0.0.1:${port}`, `-dev-root-token-id=${ROOT_TOKEN}`]
  const running = spawn('bao', [...args, ...own], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise((resolve) => running.once('exit', resolve))
  let printed = ''
  for (const stream of [running.stdout, running.stderr])
    stream.on('data', (chunk) => {
      printed += chunk
    })
  for (let tries = 0; !printed.includes('Root Token'); tries++) {
    if (running.exitCode !== null || tries === 300) throw new Error(`no OpenBao:\n${printed}`)
    await sleep(100)
  }
  const authorities = readFileSync(ca, 'utf8')
  const ask = async (method: string, path: string, body: object = {}) => {
    const answer = await new Promise<string>((resolve, reject) => {
      const headers = { 'x-vault-token': ROOT_TOKEN, connection: 'close' }
      const asked = request(`${url}/v1/${path}`, { method, ca: authorities, headers })
      asked.on('error', reject)
      asked.on('response', async (response) => {
        const said = await text(response)
        if ((response.statusCode ?? 500) < 300) resolve(said)
        else reject(new Error(`${method} ${path}: ${response.statusCode} ${said}`))
      })
      asked.end(JSON.stringify(body))
    })
    return answer === '' ? undefined : JSON.parse(answer)
  }
  return {
    url,
    authorities,
    folder,
    env,
    ask,
    async seal() {
      await ask('PUT', 'sys/seal')
    },
    async unseal() {
      const key = /Unseal Key: (\S+)/.exec(printed)?.[1]
      await ask('PUT', 'sys/unseal', { key })
    },
    printed: () => printed,
    async close() {
      running.kill()
      await ended
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
