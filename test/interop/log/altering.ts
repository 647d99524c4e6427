/** Stands between a log and its reader, and alters what one path answers: what a log, or somebody on the way, might do. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Altering {
  readonly url: string
  /** From now on, what the first path that begins so answers. */
  readonly alter: (path: string, change: (body: Buffer) => Buffer) => void
  readonly close: () => Promise<void>
}

export async function altering(target: string): Promise<Altering> {
  let altered: { path: string; change: (body: Buffer) => Buffer } | undefined
  const server = createServer(async (request, response) => {
    const { url: path = '' } = request
    const answer = await fetch(`${target}${path}`)
    const body = Buffer.from(await answer.arrayBuffer())
    response.writeHead(answer.status)
    response.end(altered && path.startsWith(altered.path) ? altered.change(body) : body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    alter: (path, change) => {
      altered = { path, change }
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
