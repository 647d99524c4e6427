/** The lines of a re-appraisal as a running service writes them, one by one as they come. Throws Mistake for whatever is none. */
import { Mistake } from './arguments.ts'
import { addressOf, refusalOf, tokenIn } from './policy-service.ts'
import type { ReappraisalQuestion, ReappraiseDeps } from './reappraise.ts'

interface Access {
  readonly deps: Pick<ReappraiseDeps, 'fetch' | 'files'>
  readonly url: string
  readonly tokenFile: string | undefined
}

/** Of thousands of failing checks none is needed; a service of ours writes a kilobyte. */
const LONGEST_LINE = 1024 * 1024
/** Between two pieces of the answer: a page of evidence takes a tenth of a second. */
const SILENCE_MS = 120_000

export async function* openLines(
  { tenant, since, dryRun }: ReappraisalQuestion,
  { deps, url, tokenFile }: Access,
): AsyncGenerator<unknown> {
  const address = addressOf(url, '/v1/reappraisals')
  const token = await tokenIn(tokenFile, deps)
  const stop = new AbortController()
  try {
    const answer = await within(SILENCE_MS, stop, () =>
      deps.fetch(address, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({
          ...(tenant !== undefined && { tenant }),
          ...(since && { since: since.toISOString() }),
          dryRun,
        }),
        // A token belongs to this address and to none that it names.
        redirect: 'error',
        signal: stop.signal,
      }),
    )
    if (answer.status !== 200)
      throw refusalOf(address, answer.status, await answer.json().catch(() => undefined))
    for await (const line of linesOf(answer, stop)) yield JSON.parse(line)
  } catch (cause) {
    if (cause instanceof Mistake) throw cause
    const why = cause instanceof Error ? (cause.cause ?? cause) : cause
    throw new Mistake(
      `${address} gave no answer that could be read: ${why instanceof Error ? why.message : why}.`,
      'Check the address, and that the service runs. What was revoked until then stays revoked.',
    )
  } finally {
    stop.abort()
  }
}

async function* linesOf(answer: Response, stop: AbortController): AsyncGenerator<string> {
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  for (;;) {
    const chunk = await within(SILENCE_MS, stop, async () => await reader?.read())
    if (!chunk || chunk.done) break
    const lines = `${text}${chunk.value}`.split('\n')
    text = lines.pop() ?? ''
    if (text.length > LONGEST_LINE)
      throw new Error(`a line is longer than ${LONGEST_LINE} characters`)
    yield* lines.filter((line) => line !== '')
  }
  if (text !== '') throw new Error('it ended in the middle of a line')
}

async function within<T>(ms: number, stop: AbortController, work: () => Promise<T>): Promise<T> {
  const timer = setTimeout(() => stop.abort(new Error(`nothing came for ${ms / 1000} s`)), ms)
  try {
    return await work()
  } finally {
    clearTimeout(timer)
  }
}
