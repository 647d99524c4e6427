/**
 * `vouchsafe/client`: every operation of the service as a typed call, over fetch alone.
 *
 *     const service = vouchsafeClient('https://attest.example.com', { operatorToken })
 *     const answer = await service.v1.appraisals[':id'].$get({ param: { id } })
 *     if (answer.status === 200) console.log((await answer.json()).verdict)
 *     else console.log((await answer.json()).next)
 *
 * What an answer holds follows from its status; anything but the documented ones is a problem document all the same. Types
 * say what the service promises, and nothing here checks that it keeps it: verify tokens with the relying party's kit.
 */
import type { Hono } from 'hono'
import { type ClientResponse, hc } from 'hono/client'
import type { BlankEnv } from 'hono/types'
import type { Operations, Problem } from './contract.ts'

export type { Operations, Problem }

export interface ClientOptions {
  /** Sent as bearer token with every call; a function is asked for each. */
  readonly operatorToken?: string | (() => string | Promise<string>)
  /** Default: the global one. Never follows a redirect: a token belongs to one address. */
  readonly fetch?: typeof globalThis.fetch
  /** Default 60,000, from the question to the last byte. */
  readonly timeoutMs?: number
}

export type VouchsafeClient = ReturnType<typeof hc<Hono<BlankEnv, Operations, '/'>>>
export type { ClientResponse }

const TIMEOUT_MS = 60_000

/** `url`: the origin of the service, without a slash at the end. Throws TypeError for what is no http or https address. */
export function vouchsafeClient(url: string, options: ClientOptions = {}): VouchsafeClient {
  const { operatorToken, fetch = globalThis.fetch, timeoutMs = TIMEOUT_MS } = options
  if (!/^https?:$/.test(new URL(url).protocol))
    throw new TypeError(`${url} is no address of a service`)
  return hc<Hono<BlankEnv, Operations, '/'>>(url, {
    fetch: async (input: Parameters<typeof fetch>[0], init?: RequestInit) =>
      await fetch(input, { ...init, redirect: 'error', signal: AbortSignal.timeout(timeoutMs) }),
    headers: async (): Promise<Record<string, string>> => {
      const token = typeof operatorToken === 'function' ? await operatorToken() : operatorToken
      return token === undefined ? {} : { authorization: `Bearer ${token}` }
    },
  })
}
