/**
 * Requests that the contract does not describe, made from the contract itself by chance: whatever comes, no 5xx, always a
 * problem document, and never a status that the operation does not document.
 */
import { Agent, request as ask } from 'node:http'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { problemSchema } from '#src/http/responses.ts'
import { problemTypes } from '#src/problems.ts'
import { claimsFor, signedAttestation, signProof } from '../../enclave/attestation.ts'
import { type Operation, operationsOf, requestTo, type Sent } from './malformed-requests.ts'
import { agentOf, attester, challenge, type RunningService, runService } from './running-service.ts'

const REQUESTS = process.env.VOUCHSAFE_LONG === '1' ? 10_000 : 900
/** The same ones every time: a run that fails can be run again. */
const SEED = 14_2026

let service: RunningService
let operations: readonly Operation[]
/** What an honest agent sends. */
let honest: { readonly body: unknown; readonly proof: (body: string) => Promise<string> }
const agent = new Agent({ keepAlive: true, maxSockets: 8 })

beforeAll(async () => {
  service = await runService()
  const contract = await (await fetch(`${service.url}/openapi.json`)).json()
  operations = operationsOf(contract)
  const { identity, keys } = await agentOf(service)
  const claims = claimsFor(identity, keys, await challenge(service))
  const made = await signedAttestation(claims, { service: service.url, keys, attester: attester() })
  honest = {
    body: JSON.parse(made.body),
    proof: (body) => signProof(body, { claims, service: service.url, key: keys.sig }),
  }
})
afterAll(async () => {
  agent.destroy()
  await service.close()
})

test(`${REQUESTS} malformed requests meet no 5xx and no undocumented status`, {
  timeout: 1_800_000,
}, async () => {
  const seen = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(...operations.map((operation) => requestTo(operation, honest.body))),
      async (sent) => {
        const { status, type, body } = await answerTo(sent)
        const name = `${sent.operation.method} ${sent.operation.path}`
        seen.set(`${status}`, (seen.get(`${status}`) ?? 0) + 1)
        expect(status, `${name}: ${body.slice(0, 500)}`).toBeLessThan(500)
        expect(status).toBeGreaterThanOrEqual(200)
        expect([...statusesOf(sent)], `${sent.method} ${sent.path} answered ${status}`).toContain(
          status,
        )
        if (status < 400 || sent.method === 'HEAD') return
        expect(type).toBe('application/problem+json')
        const problem = problemSchema.parse(JSON.parse(body))
        expect(problem.status).toBe(status)
        expect(Object.keys(problemTypes)).toContain(problem.code)
      },
    ),
    { numRuns: REQUESTS, seed: SEED, endOnFailure: process.env.VOUCHSAFE_LONG === '1' },
  )
  // A run that meets one refusal only has not gone far.
  for (const status of ['200', '400', '401', '403', '404', '405', '413', '415'])
    expect(seen.has(status), `${status} among ${JSON.stringify(Object.fromEntries(seen))}`).toBe(
      true,
    )
  // No failure of ours hides behind an answer that looks right.
  expect(service.journal.filter(({ event }) => event === 'request.failed')).toEqual([])
})

/** Of the operation that this method asks for on this path; where there is none, that there is none. */
function statusesOf({ operation, method }: Sent): ReadonlySet<number> {
  const named = method === 'HEAD' ? 'GET' : method
  const asked = operations.find((each) => each.method === named && each.path === operation.path)
  return asked?.statuses ?? new Set([400, 404, 405])
}

interface Answer {
  readonly status: number
  readonly type: string | undefined
  readonly body: string
}

async function answerTo(asked: Sent): Promise<Answer> {
  const sent = await signed(asked)
  try {
    return await answerOnce(sent)
  } catch (error) {
    // RFC 9112 section 9.3.1: a server may close a connection that is kept at any time, also while it is used again.
    if (error instanceof ReusedSocketError) return await answerOnce(sent)
    throw error
  }
}

/** What is changed in a body is judged only where the proof is about the changed one. */
async function signed(sent: Sent): Promise<Sent> {
  const { operation, isSigned, body, headers } = sent
  if (!isSigned || body === undefined || operation.path !== '/v1/attestations') return sent
  const proof = await honest.proof(body.toString())
  return { ...sent, headers: { ...headers, 'attestation-proof': proof } }
}

class ReusedSocketError extends Error {}

async function answerOnce({ method, path, headers, body }: Sent): Promise<Answer> {
  return await new Promise<Answer>((resolve, reject) => {
    const asked = ask(
      `${service.url}`,
      {
        method,
        path,
        agent,
        headers: { ...headers, ...(body && { 'content-length': `${body.length}` }) },
      },
      (response) => {
        const { statusCode: status = 0, headers: given } = response
        const type = given['content-type']
        // It never ends by itself.
        if (type?.startsWith('text/event-stream')) {
          response.destroy()
          resolve({ status, type, body: '' })
          return
        }
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => resolve({ status, type, body: Buffer.concat(chunks).toString() }))
        response.on('error', reject)
      },
    )
    asked.on('error', (error) => reject(asked.reusedSocket ? new ReusedSocketError() : error))
    asked.end(body)
  })
}
