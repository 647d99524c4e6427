/**
 * GET /metrics on a port of its own: figures name tenants and enforcement points, which is nobody's business where agents
 * ask. There is no token: the interface that it listens on decides who may see it.
 */
import type { HttpBindings } from '@hono/node-server'
import { Hono } from 'hono'
import type { Verifier } from '../service/verifier.ts'
import { type Gauges, measure } from './measure.ts'
import { metricFamilies } from './metric-families.ts'
import { METRICS_TYPE, metricsText } from './metrics-text.ts'
import type { Application } from './server.ts'

export interface MetricsServed {
  readonly verifier: Verifier
  readonly gauges: Gauges
}

const PLAIN = 'text/plain; charset=utf-8'

export function metricsApp({ verifier, gauges }: MetricsServed): Application {
  const hono = new Hono<{ Bindings: HttpBindings }>()
  const answer = (text: string, status: number, type = PLAIN) =>
    new Response(text, { status, headers: { 'content-type': type, 'cache-control': 'no-store' } })

  hono.get('/metrics', async () => {
    try {
      const measured = await measure(verifier, gauges)
      return answer(metricsText(metricFamilies(measured)), 200, METRICS_TYPE)
    } catch (cause) {
      // A scrape that fails is itself the alert.
      verifier.journal.record({ event: 'request.failed', at: verifier.clock.now(), cause })
      return answer('the figures could not be read\n', 503)
    }
  })
  hono.all('/metrics', () => {
    const response = answer('this path takes GET, HEAD\n', 405)
    response.headers.set('allow', 'GET, HEAD')
    return response
  })
  hono.notFound(() => answer('see /metrics\n', 404))
  return hono
}
