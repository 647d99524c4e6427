/** What must be so of a run with planted secrets, whatever database it was on. */
import { expect, test } from 'vitest'
import { formsIn } from './planted.ts'
import type { PlantedRun } from './planted-run.ts'

const everywhere = [
  'answers',
  'the command line',
  'log',
  'figures',
  'config print',
  'stdout',
  'stderr',
  'backup',
] as const
/** Where the canary must be found: what no name of a resource gets to stands in none of them. */
const tellingPlaces = ['answers', 'the command line', 'log', 'config print', 'stdout', 'backup']

export function expectRun(run: () => PlantedRun): void {
  test('did all of that: agents had their secrets, and every wrong request was answered', () => {
    const { planted, given, codes, statuses, bytesOf } = run()
    expect(given).toEqual([
      expect.stringContaining(planted.text),
      'ServiceRefusal',
      expect.stringContaining(planted.text),
      'in place',
      expect.stringContaining('500'),
    ])
    expect(codes.filter(([, code]) => code !== 0)).toEqual([])
    expect(statuses).toEqual({
      cut: 400,
      text: 400,
      twice: 400,
      bytes: 400,
      large: 413,
      rule: 400,
      path: 400,
      role: 403,
      nobody: 401,
      basic: 401,
      type: 415,
      token: 401,
      introspect: 200,
      sealed: 503,
      echo: 503,
    })
    const events = Buffer.from(bytesOf('stdout')).toString()
    for (const event of [
      'resource.put',
      'resource.revoked',
      'release.approved',
      'release.granted',
      'release.refused',
      'request.refused',
      'request.failed',
    ])
      expect(events).toContain(event)
  })

  test.each(everywhere)('left nothing secret in: %s', (place) => {
    const { planted, bytesOf } = run()
    if (place !== 'stderr') expect(bytesOf(place).length).toBeGreaterThan(100)
    expect(formsIn(bytesOf(place), planted.text)).toEqual([])
  })

  test.each(tellingPlaces)('told the canary, which was put to be told, in: %s', (place) => {
    const { canary, bytesOf } = run()
    expect(formsIn(bytesOf(place), canary)).not.toEqual([])
  })

  test('asked the engine with its token, and never for a secret itself', () => {
    const { planted, transit } = run()
    expect(transit.requests.length).toBeGreaterThan(10)
    for (const { token, body } of transit.requests) {
      expect(token).toBe(transit.mood.token)
      expect(formsIn(Buffer.from(JSON.stringify(body)), planted.text)).toEqual([])
    }
  })
}
