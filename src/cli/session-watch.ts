/** `vouchsafe session watch`: what happens to sessions, bans and tokens, as it happens, until somebody ends it. */
import { setTimeout as pause } from 'node:timers/promises'
import { YES } from './answering.ts'
import { Mistake, noPath, parseArguments } from './arguments.ts'
import { addressOf, refusalOf, tokenIn } from './policy-service.ts'
import { tenantOf } from './release-access.ts'
import {
  type SessionDeps,
  sessionHelp,
  sessionOptions,
  tokenFileOf,
  urlOf,
} from './session-access.ts'
import { coloured, type Paint, plain, printable, type Tone } from './text.ts'

const options = { ...sessionOptions, count: { type: 'string' } } as const

const help = `vouchsafe session watch: what happens to sessions, bans and tokens, as it happens

It comes back by itself when the stream breaks, and misses nothing of the last day.

  --count N              ends after so many events; default: never
  --tenant NAME          default: default
${sessionHelp('any role but enforcer')}
  --json                 one JSON object a line: {event, data}

Exits 0 (--count is reached) or 1 (could not tell).

Example:
  vouchsafe session watch --url https://attest.example.com --token-file token
`

/** The service writes something every 15 s. */
const SILENT_MS = 45_000
const LONGEST_LINE = 64 * 1024
const BACK_AFTER_MS = 1_000
/** Without one that began: the address is wrong, or nobody is there. */
const MOST_FAILURES = 5

interface Told {
  readonly event: string
  readonly data: Readonly<Record<string, unknown>>
}

export async function watchVerb(args: readonly string[], deps: SessionDeps): Promise<number> {
  const { values, positionals } = parseArguments('session watch', args, options)
  if (values.help) {
    deps.out(help)
    return YES
  }
  noPath('session watch', positionals, 'Name a tenant with --tenant.')
  const address = addressOf(urlOf(values), `/v1/events?tenant=${tenantOf(values)}`)
  const token = await tokenIn(tokenFileOf(values), deps)
  const paint = deps.colour ? coloured : plain
  let left = countOf(values.count)
  for await (const told of followed({ address, token, fetch: deps.fetch })) {
    if (!Object.hasOwn(sentences, told.event)) continue
    deps.out(values.json ? `${JSON.stringify(told)}\n` : lineOf(told, paint))
    left--
    if (left <= 0) break
  }
  return YES
}

function countOf(given: string | undefined): number {
  if (given === undefined) return Number.POSITIVE_INFINITY
  if (/^[1-9]\d{0,8}$/.test(given)) return Number(given)
  throw new Mistake('--count must be a number, from 1.', 'Leave it out to watch until you end it.')
}

const sentences: Readonly<
  Record<string, (data: Told['data']) => { readonly tone: Tone; readonly text: string }>
> = {
  'session.changed': ({ session, environment, agent, standing, by }) => ({
    tone: standing === 'open' ? 'good' : standing === 'closed' ? 'faint' : 'bad',
    text: `session ${session} of ${environment}/${agent} is ${standing}, by ${by}`,
  }),
  'ban.changed': ({ platform, environment, agent, change }) => ({
    tone: change === 'banned' ? 'bad' : 'good',
    text: `machine ${platform} is ${change} for ${agent === null ? 'every agent' : `${environment}/${agent}`}`,
  }),
  'token.revoked': ({ jti, environment, agent, reason }) => ({
    tone: 'bad',
    text: `token ${jti} of ${environment}/${agent} is revoked: ${reason}`,
  }),
}

function lineOf({ event, data }: Told, paint: Paint): string {
  const { tone, text } = sentences[event]?.(data) ?? { tone: 'faint', text: event }
  return `${printable(`${data.at}`)}  ${paint(tone, printable(text))}\n`
}

interface Following {
  readonly address: string
  readonly token: string
  readonly fetch: typeof globalThis.fetch
}

/** Throws Mistake where the service says no, or nobody is there. */
async function* followed(following: Following): AsyncGenerator<Told> {
  let last = ''
  let failures = 0
  for (;;) {
    const silence = new AbortController()
    try {
      for await (const { id, told } of streamed(following, { last, silence })) {
        failures = 0
        last = id
        if (told) yield told
      }
    } catch (cause) {
      if (cause instanceof Mistake) throw cause
      failures++
      if (failures >= MOST_FAILURES)
        throw new Mistake(
          `${following.address} gave no stream that could be read: ${cause instanceof Error ? cause.message : cause}.`,
          'Check the address, and that the service runs.',
        )
    } finally {
      silence.abort()
    }
    await pause(BACK_AFTER_MS)
  }
}

/** HTML Standard, section 9.2.6, as far as this service writes it. */
async function* streamed(
  { address, token, fetch }: Following,
  { last, silence }: { readonly last: string; readonly silence: AbortController },
): AsyncGenerator<{ readonly id: string; readonly told: Told | undefined }> {
  const answer = await orSilent(silence, () =>
    fetch(address, {
      headers: {
        accept: 'text/event-stream',
        authorization: `Bearer ${token}`,
        ...(last !== '' && { 'last-event-id': last }),
      },
      // A token belongs to this address and to none that it names.
      redirect: 'error',
      signal: silence.signal,
    }),
  )
  if (answer.status !== 200)
    throw refusalOf(address, answer.status, await answer.json().catch(() => undefined))
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
  let [rest, id, event] = ['', last, '']
  for (;;) {
    const chunk = await orSilent(silence, async () => await reader?.read())
    if (!chunk || chunk.done) return
    const lines = (rest + chunk.value).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > LONGEST_LINE) throw new Error('a line without end')
    for (const line of lines) {
      const [, field, value = ''] = /^(id|event|data): ?(.*)$/.exec(line) ?? []
      if (field === 'id') {
        id = value
        yield { id, told: undefined }
      } else if (field === 'event') event = value
      else if (field === 'data') yield { id, told: { event, data: JSON.parse(value) } }
    }
  }
}

async function orSilent<T>(silence: AbortController, work: () => Promise<T>): Promise<T> {
  const timer = setTimeout(() => silence.abort(new Error('nothing came for 45 s')), SILENT_MS)
  try {
    return await work()
  } finally {
    clearTimeout(timer)
  }
}
