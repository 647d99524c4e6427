/**
 * The load generator, a process of its own so that its CPU can be told apart. First it makes requests (challenges are fetched,
 * evidence signed), then it sends them: each once, so that every challenge is single-use.
 */
import { fleet, type MeasuredTee } from './agents.ts'
import { type Connection, openConnection, serialised } from './connection.ts'
import { type AttestedAgent, releaseRequests } from './release-agents.ts'

export type Order =
  | {
      readonly kind: 'prepare'
      readonly tee: MeasuredTee
      readonly ports: readonly number[]
      readonly requests: number
      readonly releases: number
      /** Instant from which the simulated vendors' documents hold, in ms. */
      readonly issued: number
    }
  | {
      readonly kind: 'prepare-releases'
      readonly agents: readonly AttestedAgent[]
      readonly requests: number
    }
  | {
      readonly kind: 'fire'
      /** Spread over the replicas. */
      readonly ports: readonly number[]
      readonly connections: number
      /** Requests per second, whatever the answers; undefined: each connection sends when it is answered. */
      readonly rate?: number
      readonly milliseconds: number
      /** What was due in the first so many of them is sent and not counted. */
      readonly settleMs?: number
    }

export interface Fired {
  readonly statuses: Readonly<Record<string, number>>
  /** Milliseconds from the instant at which it was due. Of requests that were answered with 200. */
  readonly latencies: readonly number[]
  /** The same of those that were refused for load (503, 429). */
  readonly shed: readonly number[]
  readonly wallMs: number
  readonly cpuMs: number
  readonly left: number
}

let made: Buffer[] = []

async function prepare(order: Extract<Order, { kind: 'prepare' }>): Promise<number> {
  const { attestation } = fleet(order.tee, {
    issued: new Date(order.issued),
    releases: order.releases,
  })
  const [port = 0] = order.ports
  const connection = await openConnection(port)
  const ask = serialised('POST', '/v1/challenges', { body: '{}' })
  made = []
  for (let n = 0; n < order.requests; n++) {
    const { status, body } = await connection.ask(ask)
    if (status !== 200) throw new Error(`no challenge: ${status} ${body}`)
    made.push(attestation(JSON.parse(body.toString('utf8')).nonce, n))
  }
  connection.close()
  return made.length
}

async function fire(order: Extract<Order, { kind: 'fire' }>): Promise<Fired> {
  const { ports, connections, rate, milliseconds, settleMs = 0 } = order
  const open = await Promise.all(
    Array.from({ length: connections }, (_, n) => openConnection(ports[n % ports.length] ?? 0)),
  )
  const statuses: Record<string, number> = {}
  const latencies: number[] = []
  const shed: number[] = []
  const before = process.cpuUsage()
  const begun = performance.now()
  const until = begun + milliseconds

  async function send(connection: Connection, due: number): Promise<boolean> {
    const request = made.pop()
    if (!request) return false
    const answer = await connection.ask(request).catch(() => undefined)
    const status = answer?.status ?? 'broken'
    if (due < begun + settleMs) return answer !== undefined
    statuses[status] = (statuses[status] ?? 0) + 1
    if (answer && status === 200) latencies.push(answer.endedAt - due)
    else if (answer) {
      if (status === 503 || status === 429) shed.push(answer.endedAt - due)
      // One of each kind says what the bench, or the service, does wrong.
      else if (statuses[status] === 1) process.stderr.write(`${answer.body}\n`)
    }
    return answer !== undefined
  }

  if (rate === undefined)
    await Promise.all(
      open.map(async (connection) => {
        while (performance.now() < until) {
          if (!(await send(connection, performance.now()))) return
        }
      }),
    )
  else await atRate(rate, { open, until, send })

  const wallMs = performance.now() - begun
  const { user, system } = process.cpuUsage(before)
  for (const connection of open) connection.close()
  return { statuses, latencies, shed, wallMs, cpuMs: (user + system) / 1000, left: made.length }
}

/** A request is due at its instant even if nobody is free to send it: waiting counts as latency. */
async function atRate(
  rate: number,
  {
    open,
    until,
    send,
  }: {
    readonly open: readonly Connection[]
    readonly until: number
    readonly send: (connection: Connection, due: number) => Promise<boolean>
  },
): Promise<void> {
  const idle = [...open]
  const due: number[] = []
  const running = new Set<Promise<void>>()
  const start = () => {
    while (idle.length > 0 && due.length > 0) {
      const connection = idle.pop()
      const instant = due.shift()
      if (!connection || instant === undefined) return
      const run = send(connection, instant).then((isAlive) => {
        running.delete(run)
        if (isAlive) idle.push(connection)
        start()
      })
      running.add(run)
    }
  }
  const begun = performance.now()
  let sent = 0
  while (performance.now() < until && made.length > due.length) {
    const now = performance.now()
    for (; begun + (sent * 1000) / rate <= now; sent++) due.push(begun + (sent * 1000) / rate)
    start()
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  while (running.size > 0) await Promise.all(running)
}

async function begun(order: Order): Promise<Fired | number> {
  switch (order.kind) {
    case 'prepare':
      return await prepare(order)
    case 'prepare-releases':
      made = [...releaseRequests(order.agents, order.requests)]
      return made.length
    case 'fire':
      return await fire(order)
  }
}

process.on('message', (order: Order) => {
  begun(order).then(
    (result) => process.send?.({ result }),
    (cause) => process.send?.({ error: String(cause) }),
  )
})
