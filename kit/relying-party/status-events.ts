/**
 * Who hears of revocations as they happen? A follower of the issuer's stream (server-sent events; docs/revocation.md), which
 * comes back whenever it breaks. What was missed meanwhile is in the lists: they are fetched anew, and go by their ttl until then.
 */
import { jsonObject } from './base64url.ts'
import type { Fetch } from './bounded-fetch.ts'
import type { StatusCache } from './status-cache.ts'

export interface Follower {
  /** `down`: revocations are noticed by the status lists alone, as without a follower. */
  readonly state: () => 'following' | 'down'
  readonly close: () => void
}

export interface Following {
  readonly issuer: string
  readonly fetch: Fetch
  readonly statuses: Pick<StatusCache, 'revoked' | 'missed'>
  /** Each time that the stream begins or breaks, for a log. */
  readonly changed?: (state: 'following' | 'down') => void
}

/** The service writes something every 15 s. */
const SILENT_MS = 45_000
const LEAST_PAUSE_MS = 1_000
const MOST_PAUSE_MS = 30_000
const LONGEST_LINE = 4_096
/** The service signs a list once a second, and caches on the way keep it for five. */
const OLD_LIST_MS = 7_000

export function followStatusEvents({ issuer, fetch, statuses, changed }: Following): Follower {
  const closed = new AbortController()
  let state: 'following' | 'down' = 'down'
  let pauseMs = LEAST_PAUSE_MS

  function become(next: typeof state): void {
    if (next === state) return
    state = next
    changed?.(next)
  }

  /** Rejects when the stream breaks, and resolves when it ends. */
  async function followOnce(): Promise<void> {
    const silence = new AbortController()
    const response = await orTimeout(silence, () =>
      fetch(`${issuer}/status-events`, {
        headers: { accept: 'text/event-stream' },
        redirect: 'error',
        signal: AbortSignal.any([closed.signal, silence.signal]),
      }),
    )
    if (response.status !== 200 || !response.body) {
      await response.body?.cancel()
      throw new Error(`status-events answered ${response.status}`)
    }
    const lines = eventLines(response.body, silence)
    statuses.missed()
    become('following')
    pauseMs = LEAST_PAUSE_MS
    // What is fetched at once may have been made before this stream began.
    const again = setTimeout(statuses.missed, OLD_LIST_MS)
    try {
      for await (const line of lines) {
        if (!line.startsWith('data:')) continue
        const { uri, idx } = jsonObject(new TextEncoder().encode(line.slice(5))) ?? {}
        if (typeof uri === 'string' && typeof idx === 'number') statuses.revoked(uri, idx)
      }
    } finally {
      clearTimeout(again)
    }
  }

  async function follow(): Promise<void> {
    while (!closed.signal.aborted) {
      await followOnce().catch(() => {})
      become('down')
      // Not all relying parties in the same instant.
      await pause(pauseMs * (0.5 + Math.random()), closed.signal)
      pauseMs = Math.min(pauseMs * 2, MOST_PAUSE_MS)
    }
  }

  void follow()
  return { state: () => state, close: () => closed.abort() }
}

/** Each event of this stream is one line of data. Throws Error for what is none, and for silence. */
async function* eventLines(
  body: ReadableStream<Uint8Array>,
  silence: AbortController,
): AsyncGenerator<string> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  for (;;) {
    const { done, value } = await orTimeout(silence, () => reader.read())
    if (done) return
    const lines = (rest + decoder.decode(value, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > LONGEST_LINE) throw new Error('a line without end')
    yield* lines
  }
}

async function orTimeout<T>(silence: AbortController, work: () => Promise<T>): Promise<T> {
  const timer = setTimeout(() => silence.abort(), SILENT_MS)
  try {
    return await work()
  } finally {
    clearTimeout(timer)
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const over = () => {
      clearTimeout(timer)
      // One for each pause would pile up while the service is gone.
      signal.removeEventListener('abort', over)
      resolve()
    }
    const timer = setTimeout(over, ms)
    signal.addEventListener('abort', over)
  })
}
