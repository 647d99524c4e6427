/** What an OpenTelemetry collector is told of a request: by the real exporter, over real HTTP. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { otlpSpans } from '#src/adapters/otlp-spans.ts'
import { traces } from '#src/http/trace-context.ts'

const traceId = '0af7651916cd43dd8448eb211c80319c'
const parentId = 'b7ad6b7169203331'
const at = new Date('2026-06-01T00:00:00Z')

interface ToldSpan {
  readonly traceId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly status: { readonly code?: number }
  readonly attributes: readonly Attribute[]
  readonly events: readonly { readonly name: string; readonly attributes: readonly Attribute[] }[]
}
interface Attribute {
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
}

let server: Server | undefined
afterEach(() => {
  server?.close()
  server = undefined
})

async function collector(): Promise<{ readonly url: string; readonly told: () => ToldSpan[] }> {
  const bodies: string[] = []
  const listening = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      if (request.url === '/v1/traces') bodies.push(body)
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    })
  })
  server = listening
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve))
  const { port } = listening.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    told: () =>
      bodies.flatMap((body) => {
        const { resourceSpans } = JSON.parse(body) as {
          resourceSpans: { scopeSpans: { spans: ToldSpan[] }[] }[]
        }
        return resourceSpans.flatMap((each) => each.scopeSpans.flatMap(({ spans }) => spans))
      }),
  }
}

const terms = { build: 'vouchsafe/0', replica: 'one' }

async function asked(sampled: number, status: number, traceparent: string | null) {
  const { url, told } = await collector()
  const spans = await otlpSpans({ url, sampled, ...terms })
  const traced = traces({ record() {} }, spans)
  const over = traced.begin({
    requestId: 'r1',
    method: 'POST',
    route: '/v1/attestations',
    traceparent,
  })
  traced.journal.record({
    event: 'attestation.refused',
    at,
    requestId: 'r1',
    fields: { agent: 'bot', failing: ['snp.policy.debug-off'] },
  })
  over(status)
  traced.journal.record({ event: 'attestation.issued', at, requestId: 'r1' })
  await spans.close()
  return told()
}

const attribute = (attributes: readonly Attribute[], name: string) =>
  Object.values(attributes.find(({ key }) => key === name)?.value ?? {})[0]

test('a request is a span of its caller’s trace, with its route, status and what the log says of it', async () => {
  const [span, ...others] = await asked(1, 403, `00-${traceId}-${parentId}-01`)
  expect(others).toEqual([])
  expect(span).toMatchObject({
    traceId,
    parentSpanId: parentId,
    name: 'POST /v1/attestations',
    kind: 2,
  })
  const { attributes = [], events = [] } = span ?? {}
  expect(attribute(attributes, 'http.route')).toBe('/v1/attestations')
  expect(attribute(attributes, 'http.response.status_code')).toBe(403)
  expect(attribute(attributes, 'vouchsafe.request_id')).toBe('r1')
  expect(events.map(({ name }) => name)).toEqual(['attestation.refused'])
  expect(attribute(events[0]?.attributes ?? [], 'failing')).toBe('["snp.policy.debug-off"]')
})

test.each([
  { status: 403, error: false },
  { status: 503, error: true },
])('an answer of $status is an error of ours: $error', async ({ status, error }) => {
  const [span] = await asked(1, status, null)
  expect(span?.status.code === 2).toBe(error)
})

test('what is not sampled is not told', async () => {
  expect(await asked(0, 200, null)).toEqual([])
})

test('a collector that is away holds up no request and no end', async () => {
  const { url } = await collector()
  server?.close()
  const spans = await otlpSpans({ url, sampled: 1, ...terms })
  spans.begin({ method: 'GET', route: '/healthz', requestId: 'r', parent: undefined }).end(200)
  await spans.close()
}, 8_000)
