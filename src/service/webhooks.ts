/**
 * Who else must hear of what happens? Each webhook is told every event of its kinds, in their order, at least once: how far it has
 * been told is a row, moved on only after it said yes. One replica at a time tells it; one that is gone is replaced when its claim
 * is over, and what it had sent and not noted is sent again, under the same id.
 */
import type { KeyObject } from 'node:crypto'
import type { Clock, Journal, Random, Store } from './ports.ts'
import type { EventKind, ServiceEvent } from './token-ports.ts'
import type { Chore } from './verifier.ts'
import { type WebhookMessage, webhookMessage } from './webhook-message.ts'

export interface Webhook {
  readonly name: string
  /** Undefined: of every tenant. What is about the service as a whole is about every tenant. */
  readonly tenant: string | undefined
  readonly events: readonly EventKind[]
  readonly secret: KeyObject
  /** Resolves to the status of the answer, and rejects where none comes in MOST_SEND_MS. */
  readonly send: (message: WebhookMessage) => Promise<number>
}

/** As far as this replica knows, which is while it is the one that tells it. */
export interface WebhookFigures {
  readonly name: string
  /** Undefined: another replica tells it, or none has yet. */
  readonly lag: { readonly failures: number; readonly oldestWaiting: Date | undefined } | undefined
}

export interface WebhookRoom {
  readonly store: Pick<Store, 'claimWebhook' | 'advanceWebhook' | 'eventsAfter'>
  readonly clock: Clock
  readonly random: Random
  readonly journal: Journal
}

const EVERY_MS = 500
/** An adapter gives up sooner. */
const MOST_SEND_MS = 10_000
/** Three times what one attempt may take: whoever holds it has time to note what it sent. */
const CLAIM_MS = 3 * MOST_SEND_MS
const EVENTS_PER_PAGE = 64
const FIRST_WAIT_MS = 2_000
const LONGEST_WAIT_MS = 10 * 60_000
/** Of the wait: not every webhook, and not every service, in the same instant. */
const JITTER = 0.2

export function webhookChore(
  { store, clock, random, journal }: WebhookRoom,
  webhook: Webhook,
): { readonly chore: Chore; readonly figures: () => WebhookFigures } {
  const { name } = webhook
  const holder = Buffer.from(random.bytes(16)).toString('hex')
  let failures = 0
  let notBefore = 0
  let lag: WebhookFigures['lag']

  async function claim(): Promise<number | undefined> {
    const at = clock.now()
    const until = new Date(at.getTime() + CLAIM_MS)
    return await store.claimWebhook(name, { holder, at, until })
  }

  const isMine = async (sequence: number) => await store.advanceWebhook(name, { holder, sequence })

  /** False where it has to be tried again later. */
  async function told(event: ServiceEvent): Promise<boolean> {
    const at = clock.now()
    const trouble = await troubleOf(webhook, webhookMessage(event, { secret: webhook.secret, at }))
    if (trouble === undefined) {
      if (failures > 0)
        journal.record({ event: 'webhook.delivers', at, fields: { webhook: name, failures } })
      failures = 0
      return true
    }
    failures++
    const waitMs = waitAfter(failures, random)
    notBefore = clock.now().getTime() + waitMs
    // The first of a row: a receiver that is down for a day is told once, and shows in the metrics.
    if (failures === 1)
      journal.record({ event: 'webhook.failing', at, fields: { webhook: name, trouble } })
    return false
  }

  async function run(): Promise<void> {
    let sequence = await claim()
    if (sequence === undefined) {
      lag = undefined
      return
    }
    const now = clock.now().getTime()
    // One that is further away than any is made was made by a clock that has been set back since.
    if (notBefore > now && notBefore <= now + LONGEST_WAIT_MS * (1 + JITTER)) return
    for (;;) {
      const page = await store.eventsAfter(sequence, EVENTS_PER_PAGE)
      for (const event of page) {
        if (isFor(webhook, event)) {
          lag = { failures, oldestWaiting: event.at }
          if (!(await told(event))) {
            lag = { failures, oldestWaiting: event.at }
            return
          }
          // Noted one by one, and the claim made longer: what was sent and not noted is sent again.
          if (!(await isMine(event.sequence)) || (await claim()) === undefined) return
        }
        sequence = event.sequence
      }
      if (page.length > 0 && !(await isMine(sequence))) return
      if (page.length < EVENTS_PER_PAGE) break
    }
    lag = { failures: 0, oldestWaiting: undefined }
  }

  return {
    chore: { name: `webhook ${name}`, everyMs: EVERY_MS, run },
    figures: () => ({ name, lag }),
  }
}

function isFor({ events, tenant }: Webhook, event: ServiceEvent): boolean {
  return (
    events.includes(event.kind) &&
    (tenant === undefined || event.tenant === undefined || event.tenant === tenant)
  )
}

/** Undefined: it was taken. What the receiver says besides is nobody's business, and may be anything. */
async function troubleOf({ send }: Webhook, message: WebhookMessage): Promise<string | undefined> {
  try {
    const status = await send(message)
    if (status >= 200 && status < 300) return undefined
    return status >= 300 && status < 400
      ? `answered ${status}: a webhook is never redirected`
      : `answered ${status}`
  } catch (cause) {
    return cause instanceof Error ? cause.message : 'gave no answer'
  }
}

function waitAfter(failures: number, random: Random): number {
  const wait = Math.min(FIRST_WAIT_MS * 2 ** Math.min(failures - 1, 20), LONGEST_WAIT_MS)
  const [byte = 0] = random.bytes(1)
  return wait * (1 + JITTER * ((2 * byte) / 255 - 1))
}
