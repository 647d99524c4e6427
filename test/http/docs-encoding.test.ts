/** Which clients get /docs compressed, and what does it cost to ask for it in a long way? */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RunningService, runService } from './running-service.ts'

let service: RunningService
beforeAll(async () => {
  service = await runService()
})
afterAll(() => service.close())

const accepting = (accepted: string) =>
  fetch(`${service.url}/docs/start.js`, { headers: { 'accept-encoding': accepted } })

test.each([
  ['spaces', `gzip${' '.repeat(15_000)}x`],
  ['digits', `gzip;q=0.${'1'.repeat(15_000)}x`],
  ['commas', `${', '.repeat(7_500)}x`],
  ['semicolons', `gzip${';'.repeat(15_000)}x`],
])('whoever accepts %s without end keeps nobody waiting', async (_, accepted) => {
  await accepting('identity')
  const began = performance.now()
  const asked = Array.from({ length: 10 }, () => accepting(accepted))
  expect((await fetch(`${service.url}/healthz`)).status).toBe(200)
  const answers = await Promise.all(asked)
  expect(answers.map(({ status }) => status)).toEqual(Array(10).fill(200))
  // One of them alone took a third of a second, in which nobody else was answered.
  expect(performance.now() - began).toBeLessThan(1_500)
})

test.each([
  ['gzip', true],
  ['br, GZIP ; q=0.5', true],
  ['gzip;q=1.000,br', true],
  ['gzip;q=0', false],
  ['gzip;q=0.000', false],
  ['x-gzip, gzipped, identity', false],
])('Accept-Encoding: %s is answered with gzip: %s', async (accepted, isTaken) => {
  const { headers } = await accepting(accepted)
  expect(headers.get('content-encoding')).toBe(isTaken ? 'gzip' : null)
})
