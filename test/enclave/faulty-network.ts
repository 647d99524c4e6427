/** What stands between an agent and its service in tests: passes everything on, but for what the test answers or breaks. */
import { generateKeyPair } from 'jose'

type Answering = (pass: () => Promise<Response>) => Promise<Response> | Response

export interface FaultyNetwork {
  readonly fetch: typeof globalThis.fetch
  /** As in `POST /v1/challenges`, in order. */
  readonly asked: readonly string[]
  /** Body of each, in the same order. */
  readonly bodies: readonly string[]
  /** Answers the next request to this path, once; `pass` lets the service answer it. */
  readonly next: (path: RegExp, answer: Answering) => void
  /** Every answer from this path goes through `change`, until the network is let be. */
  readonly change: (path: RegExp, change: (answer: Json) => unknown) => void
  /** Nothing is answered below this path, until the network is let be. */
  readonly down: (path: RegExp) => void
  /** What is asked of the one address goes to the other. */
  readonly move: (from: string, to: string) => void
  readonly letBe: () => void
  /** Resolves once nothing was asked for a while, and everything that was is answered. */
  readonly idle: () => Promise<void>
}

// biome-ignore lint/suspicious/noExplicitAny: an answer of the service, which the test takes apart.
type Json = any

/** More than there are such things between two requests: a seal opened, a signature verified, a proof signed. */
const QUIET_TURNS = 6

export function faultyNetwork(): FaultyNetwork {
  const asked: string[] = []
  const bodies: string[] = []
  let once: { path: RegExp; answer: Answering }[] = []
  let changes: { path: RegExp; change: (answer: Json) => unknown }[] = []
  let isDown: RegExp | undefined
  let moved = { from: '', to: '' }
  let pending = 0

  const answered: typeof globalThis.fetch = async (input, init) => {
    const path = new URL(String(input)).pathname
    asked.push(`${init?.method ?? 'GET'} ${path}`)
    bodies.push(`${init?.body ?? ''}`)
    const instead = once.find((each) => each.path.test(path))
    once = once.filter((each) => each !== instead)
    const target = String(input).replace(moved.from, moved.to)
    if (instead) return await instead.answer(() => globalThis.fetch(target, init))
    if (isDown?.test(path)) return await broken()
    const response = await globalThis.fetch(target, init)
    const { change } = changes.find((each) => each.path.test(path)) ?? {}
    if (!change || !response.ok) return response
    const changed = change(await response.json())
    return Response.json(changed, { status: response.status })
  }
  return {
    asked,
    bodies,
    fetch: async (input, init) => {
      pending++
      try {
        return await answered(input, init)
      } finally {
        pending--
      }
    },
    async idle() {
      for (let quiet = 0; quiet < QUIET_TURNS; quiet = pending === 0 ? quiet + 1 : 0) {
        await new Promise((resolve) => setTimeout(resolve, 2))
        // As slow as what an agent does between two requests, on a machine that is busy too.
        await generateKeyPair('ES256')
      }
    },
    next: (path, answer) => once.push({ path, answer }),
    change: (path, change) => changes.push({ path, change }),
    down(path) {
      isDown = path
    },
    move(from, to) {
      moved = { from, to }
    },
    letBe() {
      isDown = undefined
      once = []
      changes = []
    },
  }
}

export function refusal(status: number, code: string, headers: Record<string, string> = {}) {
  return () =>
    Response.json({ code, detail: 'as the test says', next: 'wait' }, { status, headers })
}

export const broken = () => Promise.reject(new TypeError('fetch failed'))
