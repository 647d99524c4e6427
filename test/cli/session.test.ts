/** What `vouchsafe session` says and does, of a running service with agents that attested for real. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { localFiles } from '#src/adapters/local-files.ts'
import { sessionCommand } from '#src/cli/session.ts'
import { policyOf, type RunningService, runService, tokens } from '../http/running-service.ts'
import {
  codeEvent,
  type Speaker,
  speaker,
  unapprovedEvent,
  watchedManifest,
} from '../http/session-scene.ts'
import { removeScratch, scratchFolder } from './policy-tools.ts'

let service: RunningService
let files: Readonly<Record<'operator' | 'viewer', string>>
let agent: Speaker
beforeAll(async () => {
  service = await runService({ policy: await policyOf(watchedManifest()) })
  const folder = scratchFolder()
  files = { operator: join(folder, 'operator'), viewer: join(folder, 'viewer') }
  writeFileSync(files.operator, `${tokens.operator}\n`)
  writeFileSync(files.viewer, `${tokens.viewer}\n`)
  agent = await opened()
})
afterAll(async () => {
  await service.close()
  removeScratch()
})

async function opened(): Promise<Speaker> {
  const made = await speaker(service)
  expect((await made.open()).status).toBe(200)
  return made
}

async function run(...args: readonly string[]) {
  let [out, err] = ['', '']
  const code = await sessionCommand(args, {
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
    colour: false,
    files: localFiles,
    fetch: globalThis.fetch,
  })
  return { code, out, err }
}
const as = async (who: keyof typeof files, ...args: readonly string[]) =>
  await run(...args.slice(0, 1), '--url', service.url, '--token-file', files[who], ...args.slice(1))
const because = ['--reason', 'ticket 42'] as const
/** An id may begin with a hyphen. */
const id = (of: Speaker) => ['--', of.id] as const

describe('list', () => {
  test('has a line for each, with its state', async () => {
    const { code, out } = await as('viewer', 'list', '--agent', 'prod/invoice-bot')
    expect(code).toBe(0)
    expect(out).toMatch(new RegExp(`^ACTIVE +${agent.id} {2}prod/invoice-bot {2}heard 2026-`, 'm'))
    const { out: none } = await as('viewer', 'list', '--standing', 'quarantined')
    expect(none).toBe('There are none.\n')
  })

  test('as JSON is what the service answers', async () => {
    const { out } = await as('viewer', 'list', '--json')
    expect(JSON.parse(out).sessions).toMatchObject([{ id: agent.id, state: 'ACTIVE' }])
  })

  test('in sum says what watching costs', async () => {
    const { out } = await as('viewer', 'list', '--summary')
    expect(out).toMatch(/^1 session: 1 ACTIVE\n6 heartbeats and 0\.2 quotes a minute\n/)
    expect(out).toContain('prod/invoice-bot: 1 open, heartbeat every 10 s')
  })
})

describe('show', () => {
  test('says what it measured, and on which machine it runs', async () => {
    const { code, out } = await as('viewer', 'show', ...id(agent))
    expect(code).toBe(0)
    expect(out).toContain(`ACTIVE      ${agent.id}\n`)
    expect(out).toContain('measured   1 code')
    expect(out).toContain(`code ${JSON.parse(codeEvent()).path}`)
    expect(out).toMatch(/machine {4}[0-9a-f]{128}/)
  })

  test('says what brought it down, and what of it is not approved', async () => {
    const fallen = await opened()
    await fallen.heartbeat({ measurement: [unapprovedEvent()] })
    const { out } = await as('viewer', 'show', ...id(fallen))
    expect(out).toContain('QUARANTINED')
    expect(out).toMatch(/why {8}runtime\.code\.approved: .*\(by runtime-appraisal/)
    expect(out).toContain('not approved runtime.code.approved: ')
  })
})

describe('an action', () => {
  test.each([
    ['quarantine', 'QUARANTINED'],
    ['release', 'SUSPENDED'],
    ['quote', 'SUSPENDED'],
    ['evict', 'REVOKED'],
  ])('%s: %s', async (verb, state) => {
    const { code, out } = await as('operator', verb, ...because, ...id(agent))
    expect([code, out]).toEqual([0, expect.stringContaining(state)])
    expect(out).toContain('ticket 42')
  })

  test.each<[string, readonly string[], string]>([
    ['without a reason', ['evict', '--', 'x'.repeat(22)], '--reason is missing'],
    ['without an id', ['evict', '--reason', 'x'], 'takes the id of one session'],
    ['of what is none', ['evict', '--reason', 'x', '--', 'x'.repeat(22)], 'session-unknown'],
    ['that there is not', ['delete'], 'no such verb'],
  ])('%s is a mistake', async (_, args, says) => {
    const { code, err } = await as('operator', ...args)
    expect([code, err]).toEqual([1, expect.stringContaining(says)])
  })

  test('by whoever may only look is refused', async () => {
    const { code, err } = await as('viewer', 'evict', ...because, ...id(agent))
    expect([code, err]).toEqual([1, expect.stringContaining('operator-forbidden')])
  })

  test('needs a service to ask', async () => {
    const { err } = await run('list')
    expect(err).toContain('--url is missing')
  })
})

test('a machine is banned by a session on it, listed, and unbanned', async () => {
  const one = await opened()
  const { out } = await as('operator', 'ban', '--session', one.id, ...because, '--json')
  const { bans, sessions } = JSON.parse(out)
  expect(sessions).toBeGreaterThan(0)
  const platforms: string[] = bans.map(({ platform }: { platform: string }) => platform)
  expect((await as('viewer', 'bans')).out).toBe(
    platforms
      .map((each) => `${each}  every agent, by otto at 2026-06-01T00:00:00.000Z: ticket 42\n`)
      .join(''),
  )
  expect((await as('operator', 'unban', ...platforms, ...because)).out).toContain('lifted: ')
  expect((await as('viewer', 'bans')).out).toBe('There are none.\n')
  const { err } = await as('operator', 'unban', ...platforms, ...because)
  expect(err).toContain('ban-unknown')
})

test('watch tells what happens, as it happens, until it has told so many', async () => {
  const one = await opened()
  const watching = as('viewer', 'watch', '--count', '2', '--json')
  await expect.poll(() => service.streams.count()).toBe(1)
  await as('operator', 'quarantine', ...because, ...id(one))
  const { code, out } = await watching
  expect(code).toBe(0)
  const told = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(told.map(({ event }) => event).toSorted()).toEqual(['session.changed', 'token.revoked'])
  expect(told.find(({ event }) => event === 'session.changed').data).toMatchObject({
    session: one.id,
    standing: 'quarantined',
  })
})

test('every verb has help', async () => {
  for (const verb of [
    'list',
    'show',
    'watch',
    'quarantine',
    'release',
    'evict',
    'quote',
    'ban',
    'unban',
    'bans',
  ])
    expect(await run(verb, '--help')).toMatchObject({
      code: 0,
      out: expect.stringContaining(`vouchsafe session ${verb}`),
    })
  expect((await run('--help')).out).toContain('vouchsafe session quarantine')
})
