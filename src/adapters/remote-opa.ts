/**
 * What does the operator's own Open Policy Agent say? Its REST API (OPA documentation, "Data API", Get a Document with
 * Input), asked once per appraisal. Anything but `{"result": true}` in time is a denial: an OPA that cannot be reached,
 * redirects, says too much or nothing is not one that allows.
 */
import { address as safeAddress } from '../config/values.ts'
import type { RemoteInput, RemotePolicy, RuleAnswer } from '../policy/rules/rule.ts'

export interface RemoteOpaSettings {
  /** https, or http to this machine: the answer decides who gets secrets. */
  readonly url: string
  /** Package and rule: `vouchsafe/allow`. */
  readonly path: string
  /** Sent as bearer token. */
  readonly token?: string | undefined
  /** From the question to the last byte of the answer. */
  readonly deadlineMs?: number
  /** Questions at a time. */
  readonly mostAtOnce?: number
}

/** Leaves 50 ms of the 250 within which a denial must be there. */
const DEADLINE_MS = 200
const MOST_AT_ONCE = 64
/** Bytes. The answer to a yes-or-no question, with whatever metrics OPA may add. */
const LARGEST_ANSWER = 64 * 1024

/** Throws for an address that nobody should ask. */
export function remoteOpa(settings: RemoteOpaSettings): RemotePolicy {
  const { url, path, token, deadlineMs = DEADLINE_MS, mostAtOnce = MOST_AT_ONCE } = settings
  if (!safeAddress.safeParse(url).success)
    throw new TypeError('the address of OPA must be https, or http to this machine')
  const address = `${url.replace(/\/$/, '')}/v1/data/${path}`
  const headers = {
    'content-type': 'application/json',
    'accept-encoding': 'identity',
    'user-agent': 'vouchsafe',
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  }
  let asking = 0
  return {
    async ask(input) {
      if (asking >= mostAtOnce) return { fault: `${asking} questions to OPA are open already` }
      asking++
      try {
        return await answerTo(input, { address, headers, deadlineMs })
      } catch (cause) {
        return { fault: reasonOf(cause, deadlineMs) }
      } finally {
        asking--
      }
    },
  }
}

interface Question {
  readonly address: string
  readonly headers: Readonly<Record<string, string>>
  readonly deadlineMs: number
}

async function answerTo(
  input: RemoteInput,
  { address, headers, deadlineMs }: Question,
): Promise<RuleAnswer> {
  const response = await fetch(address, {
    method: 'POST',
    headers,
    body: JSON.stringify({ input }),
    redirect: 'manual',
    // Covers the body too: one byte a second is no answer.
    signal: AbortSignal.timeout(deadlineMs),
  })
  const text = await textOf(response)
  if (response.status !== 200)
    return { fault: `OPA answered with status ${response.status}, where 200 was expected` }
  return decisionIn(text)
}

/** The body, whatever the status: what is not read keeps a connection from being used again. */
async function textOf({ body }: Response): Promise<string> {
  if (!body) return ''
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    // Leaving the loop by a throw cancels the rest. Content-Length is only a claim.
    if (size > LARGEST_ANSWER)
      throw new RangeError(`OPA's answer is longer than ${LARGEST_ANSWER} bytes`)
    chunks.push(chunk)
  }
  return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks))
}

function decisionIn(text: string): RuleAnswer {
  let answer: unknown
  try {
    answer = JSON.parse(text)
  } catch {
    return { fault: 'OPA answered with something that is not JSON' }
  }
  if (typeof answer !== 'object' || answer === null || !('result' in answer))
    return {
      fault: 'the decision is undefined: check its path, and give it a value with `default`',
    }
  const { result } = answer
  if (result === true) return { answer: true }
  if (result === false) return { answer: false, observed: false }
  return { fault: `the decision is ${named(result)}, where exactly true was expected` }
}

function named(result: unknown): string {
  if (result === null) return 'null'
  if (Array.isArray(result)) return 'a list'
  return typeof result === 'object' ? 'an object' : `a ${typeof result}`
}

/** Never the address or the token: the sentence goes to whoever was refused. */
function reasonOf(cause: unknown, deadlineMs: number): string {
  if (!(cause instanceof Error)) return 'OPA could not be asked'
  if (cause.name === 'TimeoutError') return `OPA did not answer within ${deadlineMs} ms`
  if (cause instanceof RangeError) return cause.message
  const { cause: inner } = cause
  const code = inner instanceof Error && 'code' in inner ? ` (${String(inner.code)})` : ''
  return `OPA could not be asked${code}`
}
