/** Rounds of attesting and killing, whatever the database: what is killed when is chance, what must hold afterwards is not. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { type Clients, openClients } from './attesting-clients.ts'
import { expectKnown, expectLogged, expectOnce, type LogWatch, watchLog } from './promises.ts'
import type { Place, Serving } from './service-process.ts'

export interface Killings {
  readonly clients: Clients
  readonly log: LogWatch
  readonly figures: Figures
  /**
   * Lets clients attest at `victim` (and whoever else `addresses` names) for a while and kills it while requests are in
   * flight. Then sends again, at `next`, what was cut off, and holds every token that was handed out since the last time
   * against what the service knows.
   */
  readonly round: (scene: Scene) => Promise<Serving>
  readonly expectKept: (address: string) => Promise<void>
}

interface Scene {
  readonly place: Place
  readonly victim: Serving
  /** Replicas that stay. */
  readonly others?: readonly Serving[]
}

interface Figures {
  kills: number
  tokens: number
  cut: number
  againIssued: number
  againUsed: number
  checkpoints: number
}

const CLIENTS = 8
/** Of a kill, after the clients began. */
const SOONEST_MS = 60
const LATEST_MS = 400
const LONGEST_REQUEST_MS = 12

export async function killings(): Promise<Killings> {
  const clients = await openClients(CLIENTS)
  const log = watchLog()
  const figures: Figures = {
    kills: 0,
    tokens: 0,
    cut: 0,
    againIssued: 0,
    againUsed: 0,
    checkpoints: 0,
  }
  let known = 0
  let sentAgain = 0

  async function sendAgain(address: string): Promise<void> {
    const cut = clients.attempts.slice(sentAgain).filter(({ answers }) => answers.length === 0)
    sentAgain = clients.attempts.length
    for (const attempt of cut) {
      figures.cut += 1
      const answer = await clients.again(address, attempt)
      if (answer?.status === 200) figures.againIssued += 1
      else {
        expect(answer?.json).toMatchObject({ code: 'challenge-used' })
        figures.againUsed += 1
      }
    }
  }

  return {
    clients,
    log,
    figures,
    async round({ place, victim, others = [] }) {
      const addresses = [victim, ...others]
      let asked = 0
      const running = clients.run(() => addresses[asked++ % addresses.length]?.address)
      const watching = repeat(() => log.look(addresses[0]?.address ?? ''))
      await sleep(SOONEST_MS + Math.random() * (LATEST_MS - SOONEST_MS))
      while (clients.inFlightAt(victim.address) === 0) await sleep(1)
      // Anywhere in the course of that request: decoded, judged, written, answered.
      await sleep(Math.random() * LONGEST_REQUEST_MS)
      await victim.kill()
      figures.kills += 1
      await Promise.all([running.stop(), watching.stop()])
      const next = await place.start()
      await sendAgain(others[0]?.address ?? next.address)
      await expectKnown(next.address, clients.received.slice(known))
      known = clients.received.length
      await log.look(next.address)
      return next
    },
    async expectKept(address) {
      expectOnce(clients.attempts, clients.received)
      // Nothing that a healthy service would not have said: no 5xx, no refusal.
      expect(Object.fromEntries(clients.otherwise)).toEqual({})
      await expectLogged(address, clients.received)
      figures.checkpoints = await log.expectContinued(address)
      figures.tokens = clients.received.length
    },
  }
}

function repeat(work: () => Promise<void>): { readonly stop: () => Promise<void> } {
  let isOver = false
  const running = (async () => {
    while (!isOver) {
      await work()
      await sleep(20)
    }
  })()
  return {
    async stop() {
      isOver = true
      await running
    },
  }
}
