/** What the service said is still so: every token that anybody holds has its record and its place in the log, once. */
import { expect } from 'vitest'
import { fromHex } from '#src/bytes/encoding.ts'
import { openCheckpoint } from '#src/log/checkpoint.ts'
import { isConsistent, type TreeHead } from '#src/log/consistency.ts'
import { parseLogProof, verifyLogProof } from '#src/log/log-proof.ts'
import { type NoteKey, parseVerifierKey } from '#src/log/note-key.ts'
import type { Attempt, Received } from './attesting-clients.ts'
import { type Answer, type Asked, openConnection } from './connection.ts'
import { bearer } from './service-process.ts'

/** What is true of a token at the time of asking: its own end is minutes away. */
export async function expectKnown(address: string, tokens: readonly Received[]): Promise<void> {
  await each(address, tokens, async (ask, { token, jti, appraisal, leaf }) => {
    const introspected = await ask({
      method: 'POST',
      path: '/v1/introspections',
      body: JSON.stringify({ token }),
      headers: bearer('operator'),
    })
    expect(introspected.json).toMatchObject({ active: true, jti })
    const found = await ask({ path: `/v1/appraisals/${appraisal}`, headers: bearer('operator') })
    expect(found.json).toMatchObject({ verdict: 'issued', log: { leaf } })
  })
}

/** Each leaf is under a signed root, and at a place of its own. */
export async function expectLogged(address: string, tokens: readonly Received[]): Promise<void> {
  const key = await logKey(address)
  const places = new Set<number>()
  await each(address, tokens, async (ask, { leaf }) => {
    let answer = await ask({ path: `/v1/log/proof?leaf=${leaf}` })
    for (let tries = 0; answer.json.code === 'log-leaf-waiting' && tries < 50; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 100))
      answer = await ask({ path: `/v1/log/proof?leaf=${leaf}` })
    }
    places.add(verifyLogProof(parseLogProof(answer.json), { log: key }).index)
  })
  expect(places.size).toBe(new Set(tokens.map(({ leaf }) => leaf)).size)
}

/** One challenge has one set of tokens, however often it was sent, and one token one entry of a status list. */
export function expectOnce(attempts: readonly Attempt[], received: readonly Received[]): void {
  for (const { answers, nonce } of attempts) {
    const issued = answers.filter(({ status }) => status === 200)
    expect(issued.length, nonce).toBeLessThanOrEqual(1)
  }
  for (const name of ['jti', 'slot', 'leaf', 'appraisal', 'nonce'] as const)
    expect(new Set(received.map((each) => each[name])).size, name).toBe(received.length)
}

export interface LogWatch {
  /** Looks once; a service that is away shows nothing. */
  readonly look: (address: string) => Promise<void>
  /** Whether the log of now continues everything that was ever seen. Resolves to how many trees were seen. */
  readonly expectContinued: (address: string) => Promise<number>
}

/** Somebody who remembers every checkpoint that he was shown. */
export function watchLog(): LogWatch {
  const connection = openConnection()
  const seen = new Map<number, TreeHead>()
  let key: NoteKey | undefined

  async function head(address: string): Promise<TreeHead> {
    key ??= await logKey(address)
    const { text } = await connection.ask(address, { path: '/v1/log/checkpoint' })
    return openCheckpoint(text, { log: key })
  }

  return {
    async look(address) {
      const shown = await head(address).catch(() => undefined)
      if (!shown) return
      const known = seen.get(shown.size)
      if (known) expect(Buffer.from(shown.root)).toEqual(Buffer.from(known.root))
      seen.set(shown.size, shown)
    },
    async expectContinued(address) {
      const now = await head(address)
      for (const before of seen.values()) {
        const path = `/v1/log/consistency?from=${before.size}&to=${now.size}`
        const { json } = await connection.ask(address, { path })
        const proof = json.proof.map((hex: string) => fromHex(hex))
        expect(isConsistent(before, now, proof), `${before.size} to ${now.size}`).toBe(true)
      }
      return seen.size
    },
  }
}

async function logKey(address: string): Promise<NoteKey> {
  const connection = openConnection()
  try {
    return parseVerifierKey((await connection.ask(address, { path: '/v1/log/key' })).text.trim())
  } finally {
    connection.close()
  }
}

const AT_ONCE = 8

async function each<T>(
  address: string,
  all: readonly T[],
  work: (ask: (asked: Asked) => Promise<Answer>, one: T) => Promise<void>,
): Promise<void> {
  const left = [...all]
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      const connection = openConnection()
      try {
        for (let one = left.pop(); one !== undefined; one = left.pop())
          await work((asked) => connection.ask(address, asked), one)
      } finally {
        connection.close()
      }
    }),
  )
}
