/**
 * A whole agent, which `npm start` runs, watches and tampers with: it books an invoice at a ledger again and again, each time
 * with a fresh proof from the sidecar that holds its keys. Node alone, over two Unix sockets: it reaches nothing else.
 */
import { createHash } from 'node:crypto'
import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { booking } from './tools.mjs'

const { VOUCHSAFE_SOCKET: sidecar, LEDGER_SOCKET: ledger } = process.env
const LEDGER = 'https://ledger.example'
/** The sidecar asks the kernel who connected: once for each connection. */
const kept = new Agent({ keepAlive: true, maxSockets: 1 })
const parent = process.ppid

// It ends with whoever started it.
for (let invoice = 1; process.ppid === parent; invoice++) {
  await book(booking(invoice)).catch(() => {})
  await sleep(100)
}

async function book({ path, body }) {
  const text = JSON.stringify(body)
  const { headers } = await post(sidecar, '/v1/proofs', 'vouchsafe', {
    text: JSON.stringify({
      method: 'POST',
      url: `${LEDGER}${path}`,
      bodySha256: createHash('sha256').update(text).digest('base64url'),
      audience: 'kms.example',
    }),
  })
  await post(ledger, path, 'ledger.example', { text, headers })
}

async function post(socketPath, path, host, { text, headers = {} }) {
  return await new Promise((resolve, reject) => {
    const asked = request(
      {
        ...{ socketPath, path, method: 'POST', agent: kept, timeout: 20_000 },
        headers: { host, 'content-type': 'application/json', ...headers },
      },
      async (response) => {
        try {
          const parts = await Array.fromAsync(response)
          const answer = JSON.parse(Buffer.concat(parts).toString())
          if (response.statusCode === 200) resolve(answer)
          else reject(new Error(`refused with ${response.statusCode}`))
        } catch (fault) {
          reject(fault)
        }
      },
    )
    asked.on('error', reject)
    asked.on('timeout', () => asked.destroy(new Error('no answer')))
    asked.end(text)
  })
}
