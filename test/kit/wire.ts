/** HTTP as it is written, for tests: fetch would tidy paths and headers. */
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'

export interface Sent {
  readonly path?: string
  readonly method?: string
  readonly body?: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
}

export interface Received {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

export async function send(
  url: string,
  { path = '/v1/unwrap', method = 'GET', body = '', headers = {} }: Sent,
): Promise<Received> {
  const sent = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : [...value],
    ]),
  )
  return await new Promise((resolve, reject) => {
    const asked = httpRequest(url, { path, method, headers: sent }, async (response) => {
      let text = ''
      for await (const chunk of response) text += chunk
      resolve({ status: response.statusCode ?? 0, headers: response.headers, text })
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

/** Somebody else may take it before the gateway does: then the first question fails, and says so. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
