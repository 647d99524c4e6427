/** The routes for whoever keeps the service running: does the process answer, and could it do its work? */
import type { Readiness } from '../service/readiness.ts'
import { readinessResponse } from './responses.ts'
import { json, type Route } from './route.ts'

export function healthRoutes(ready: () => Promise<Readiness>): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/healthz',
      summary: 'Whether the process answers',
      budget: 'none',
      response: undefined,
      problems: [],
      answer: () => new Response('ok\n', { headers: { 'content-type': 'text/plain' } }),
    },
    {
      method: 'GET',
      path: '/readyz',
      summary: 'Whether an attestation could be answered now: storage, policy, and a known verdict',
      budget: 'none',
      response: readinessResponse,
      problems: [],
      answer: async () => {
        const readiness = await ready()
        return json(readiness, { status: readiness.ready ? 200 : 503 })
      },
    },
  ]
}
