/** The agent whose requests are counted: as much work per request as a small tool server does. Its port is its first line; its CPU time so far the answer to `/cpu`. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

const file = process.argv[1] ?? ''

const server = createServer((request, response) => {
  if (request.url === '/cpu') {
    const { user, system } = process.cpuUsage()
    response.end(String(user + system))
    return
  }
  void answer().then((body) => response.end(body))
})

async function answer(): Promise<string> {
  const text = await readFile(file, 'utf8')
  const digest = createHash('sha256').update(text).digest('hex')
  return JSON.stringify({ digest, words: text.split(' ').slice(0, 100), at: Date.now() })
}

server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))
