/** A local endpoint over an agent's client, in a folder of its own, and programs of other users that ask it. */
import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import {
  type AnsweredQuestion,
  type LocalEndpointRequest,
  openLocalEndpoint,
} from '../../enclave/endpoint/local-endpoint.ts'

type Client = Parameters<typeof openLocalEndpoint>[0]

export interface EndpointScene {
  readonly path: string
  readonly directory: string
  readonly asked: AnsweredQuestion[]
  readonly ask: (method: string, path: string, sent?: Sent) => Promise<Received>
}

export interface Sent {
  readonly json?: unknown
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface Received {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: an answer, which the test takes apart.
  readonly json: any
}

const closing: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

export const OWN_UID = process.getuid?.() ?? 0

export async function endpointOver(
  client: Client,
  change: Partial<LocalEndpointRequest> = {},
): Promise<EndpointScene> {
  const directory = mkdtempSync(join(tmpdir(), 'vouchsafe-endpoint-'))
  closing.push(() => rmSync(directory, { recursive: true, force: true }))
  const path = join(directory, 'run/agent.sock')
  const asked: AnsweredQuestion[] = []
  const endpoint = await openLocalEndpoint(client, {
    path,
    admitted: { uids: [OWN_UID] },
    told: (each) => asked.push(each),
    ...change,
  })
  closing.push(endpoint.close)
  return {
    ...{ path, directory, asked },
    ask: async (method, route, sent) => await askAt(path, { method, route, ...sent }),
  }
}

/** Whoever may enter the folders and write to the socket, which is for the kernel to say: what is tested is whom we refuse. */
export function openToAll({ directory, path }: EndpointScene): void {
  chmodSync(directory, 0o711)
  chmodSync(join(directory, 'run'), 0o711)
  chmodSync(path, 0o666)
}

async function askAt(
  socketPath: string,
  { method, route, json, body, headers = {} }: Sent & { method: string; route: string },
): Promise<Received> {
  const text = json === undefined ? body : JSON.stringify(json)
  return await new Promise((resolve, reject) => {
    const request = httpRequest(
      {
        ...{ socketPath, method, path: route, agent: false },
        headers: {
          host: 'vouchsafe',
          ...(text !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
      },
      async (response) => {
        let answer = ''
        for await (const chunk of response) answer += chunk
        resolve({ status: response.statusCode ?? 0, json: JSON.parse(answer) })
      },
    )
    request.on('error', reject)
    request.end(text)
  })
}

/** What a program of that user gets from `GET /v1/session`: its status, or `refused` where the connection just ended. */
export async function askedBy(
  uid: number,
  path: string,
  program = process.execPath,
): Promise<string> {
  const script = `
    const { request } = require('node:http')
    request({ socketPath: process.argv[1], path: '/v1/session', agent: false, headers: { host: 'vouchsafe' } },
      (answer) => console.log(answer.resume().statusCode)).on('error', ({ code }) => console.log(['ECONNRESET', 'EPIPE'].includes(code) ? 'refused' : code)).end()`
  const child = spawn(program, ['-e', script, path], {
    ...{ uid, gid: uid, cwd: '/', env: {} },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  for await (const chunk of child.stdout) text += chunk
  return text.trim()
}
