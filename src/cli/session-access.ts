/** A running service, asked about its sessions: they live in its database, and only it knows how long it could not be reached. */
import type { z } from 'zod'
import type { Output } from './answering.ts'
import { Mistake } from './arguments.ts'
import type { Files } from './files.ts'
import { askService, type ServiceQuestion } from './policy-service.ts'
import type { Values } from './release-access.ts'

export interface SessionDeps extends Output {
  readonly colour: boolean
  readonly files: Files
  readonly fetch: typeof globalThis.fetch
}

export const sessionOptions = {
  url: { type: 'string' },
  'token-file': { type: 'string' },
  tenant: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

/** `role`: which operators may ask, in words. */
export function sessionHelp(role: string): string {
  return `  --url URL              address of the running service
  --token-file FILE      holds your operator token (${role})`
}

/** Throws Mistake. */
export async function askSessions<T>(
  question: ServiceQuestion,
  schema: z.ZodType<T>,
  { values, deps }: { readonly values: Values; readonly deps: SessionDeps },
): Promise<T> {
  return await askService(question, schema, {
    url: urlOf(values),
    tokenFile: tokenFileOf(values),
    deps,
  })
}

/** Throws Mistake. */
export function urlOf({ url }: Values): string {
  if (typeof url === 'string') return url
  throw new Mistake(
    '--url is missing: sessions are asked of a running service.',
    'Name it with --url URL --token-file FILE.',
  )
}

export function tokenFileOf({ 'token-file': file }: Values): string | undefined {
  return typeof file === 'string' ? file : undefined
}

/** Throws Mistake. */
export function sessionNamed(verb: string, positionals: readonly string[]): string {
  const [id, ...more] = positionals
  if (id !== undefined && more.length === 0 && /^[A-Za-z0-9_-]{22}$/.test(id)) return id
  throw new Mistake(
    `\`vouchsafe session ${verb}\` takes the id of one session.`,
    '`vouchsafe session list` has the ids: 22 characters each. One that begins with - comes after --.',
  )
}

/** Throws Mistake. */
export function reasonOf({ reason }: Values): string {
  if (typeof reason === 'string' && /^[^\p{Cc}]{1,300}$/u.test(reason)) return reason
  throw new Mistake(
    '--reason is missing, or is not one line of at most 300 characters.',
    'Say why in one sentence: it is kept in the log.',
  )
}

/** `ENVIRONMENT/AGENT`. Throws Mistake. */
export function agentIn({
  agent,
}: Values): { readonly environment: string; readonly agent: string } | undefined {
  if (agent === undefined) return undefined
  const [environment = '', name = '', ...more] = String(agent).split('/')
  if (more.length === 0 && [environment, name].every((each) => NAME.test(each)))
    return { environment, agent: name }
  throw new Mistake('--agent is no name of an agent.', 'Write it as ENVIRONMENT/AGENT.')
}

const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
