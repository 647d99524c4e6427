/**
 * Spans to an OpenTelemetry collector (OTLP over HTTP, JSON). The packages are loaded only where traces are configured, and
 * are optional: whoever installs without them is told so when he asks for traces.
 */
import { setTimeout } from 'node:timers/promises'
import type { AttributeValue } from '@opentelemetry/api'
import { Problem } from '../problems.ts'
import type { Datum } from '../rats/check.ts'
import type { Span, SpannedRequest, Spans } from '../service/span-ports.ts'

export interface OtlpTerms {
  /** Base address of the collector: spans go to `<url>/v1/traces`. */
  readonly url: string
  /** Part of all requests, 0 to 1. */
  readonly sampled: number
  readonly build: string
  readonly replica: string
}

/** What waits beyond this is dropped: a collector that is away costs memory for so many spans, and no request waits for it. */
const MOST_WAITING = 2048
const MOST_AT_ONCE = 512
const EVERY_MS = 2_000
const TIMEOUT_MS = 5_000
const CLOSING_MS = 1_000
/** Semantic conventions for HTTP, 1.23 and later: only what is our fault is an error of a server's span. */
const FIRST_FAULT = 500

/** Throws Problem('configuration-invalid') where the packages are not there. */
export async function otlpSpans({ url, sampled, build, replica }: OtlpTerms): Promise<Spans> {
  const { api, sdk, exporting, resources } = await loaded()
  const exporter = new exporting.OTLPTraceExporter({
    url: `${url}/v1/traces`,
    timeoutMillis: TIMEOUT_MS,
  })
  const provider = new sdk.TracerProvider({
    resource: resources.resourceFromAttributes({
      'service.name': 'vouchsafe',
      'service.version': build,
      'service.instance.id': replica,
    }),
    // By the trace alone: whether the caller keeps his own spans says nothing about what is kept here.
    sampler: new sdk.TraceIdRatioBasedSampler(sampled),
    spanProcessors: [
      new sdk.BatchSpanProcessor({
        exporter,
        maxQueueSize: MOST_WAITING,
        maxExportBatchSize: MOST_AT_ONCE,
        scheduledDelayMillis: EVERY_MS,
        exportTimeoutMillis: TIMEOUT_MS,
      }),
    ],
  })
  const tracer = provider.getTracer('vouchsafe', build)

  function contextOf(parent: SpannedRequest['parent']) {
    if (!parent) return api.ROOT_CONTEXT
    return api.trace.setSpanContext(api.ROOT_CONTEXT, {
      traceId: parent.traceId,
      spanId: parent.parentId,
      traceFlags: api.TraceFlags.SAMPLED,
      isRemote: true,
    })
  }

  return {
    begin({ method, route, requestId, parent }): Span {
      const span = tracer.startSpan(
        `${method} ${route}`,
        {
          kind: api.SpanKind.SERVER,
          attributes: {
            'http.request.method': method,
            'http.route': route,
            'vouchsafe.request_id': requestId,
          },
        },
        contextOf(parent),
      )
      return {
        event(name, fields) {
          span.addEvent(name, attributesOf(fields))
        },
        end(status) {
          span.setAttribute('http.response.status_code', status)
          if (status >= FIRST_FAULT) span.setStatus({ code: api.SpanStatusCode.ERROR })
          span.end()
        },
      }
    },
    async close() {
      // A collector that is away is no reason not to end.
      const told = provider.shutdown().catch(() => {})
      await Promise.race([told, setTimeout(CLOSING_MS, undefined, { ref: false })])
    },
  }
}

async function loaded() {
  try {
    const [api, sdk, exporting, resources] = await Promise.all([
      import('@opentelemetry/api'),
      import('@opentelemetry/sdk-trace'),
      import('@opentelemetry/exporter-trace-otlp-http'),
      import('@opentelemetry/resources'),
    ])
    return { api, sdk, exporting, resources }
  } catch (cause) {
    throw new Problem(
      'configuration-invalid',
      'traces are configured, and the optional packages @opentelemetry/* are not installed: run `npm ci` without --omit=optional',
      { cause },
    )
  }
}

function attributesOf(fields: Readonly<Record<string, Datum>>): Record<string, AttributeValue> {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, value]): [string, AttributeValue][] => {
      if (value === null) return []
      return [[name, typeof value === 'object' ? JSON.stringify(value) : value]]
    }),
  )
}
