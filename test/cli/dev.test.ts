/** `vouchsafe dev`: what is printed of the agent that is watched, and how it counts for the exit code. */
import { describe, expect, test } from 'vitest'
import { type DevService, devCommand } from '#src/cli/dev.ts'
import type { DevWatched, WatchedShown } from '#src/cli/dev-watched.ts'
import { output } from './command.ts'

const stopped: WatchedShown = {
  verdict: 'stopped',
  ...{ session: 'AAAAAAAAAAAAAAAAAAAAAA', bookedBefore: 3, bookedAfter: 1 },
  acts: ['a file was changed'],
  timeline: { noticed: 12.25, stopped: 12.5, quarantined: 80, tokenRefused: 99 },
  ...{ alarm: 'a file changed\nunder it', stoppedBy: 'cgroup', source: 'looks' },
  failing: ['runtime.files.unchanged'],
  sentence: 'files changed under the running agent',
  refusal: 'token-revoked: entry 7',
  unwatched: ['its memory'],
}

async function demonstrated(watched: DevWatched, args: readonly string[] = []) {
  const { written, out, err } = output()
  const service: DevService = {
    ...{ url: 'http://127.0.0.1:8080', issuer: 'http://127.0.0.1:8080/simulated' },
    ...{ directory: '/d', operatorTokenFile: '/d/o', secretAdminTokenFile: '/d/s' },
    self: { simulatedRoots: '/d/r', machineFile: '/d/m', measurement: '00' },
    policy: { repository: '/d/p', keys: '/d/k', pin: 'sha256:00', commit: '0'.repeat(40) },
    ...{ agents: [], watched, keyBroker: undefined, close: async () => {} },
  }
  const code = await devCommand(['--once', ...args], {
    ...{ out, err, colour: false },
    start: async () => service,
    stopped: async () => 'SIGINT',
  })
  return { code, ...written }
}

const showing = (shown: WatchedShown): DevWatched => ({
  ...{ command: ['node', 'agent.mjs'], code: '/d/code', takesRoot: false },
  show: async () => shown,
})

describe('the agent that is watched', () => {
  test('is shown with its timeline in milliseconds, on one line each', async () => {
    const { code, out } = await demonstrated(showing(stopped))
    expect(code).toBe(0)
    expect(out.split('\n').filter((line) => / ms {2}/.test(line))).toEqual([
      '      +12.3 ms  noticed on its machine: a file changed\\u{a}under it',
      '      +12.5 ms  frozen (its cgroup, every process of it)',
      '      +80.0 ms  quarantined by the verifier, its tokens revoked, killed',
      '      +99.0 ms  its token refused by the relying party: token-revoked: entry 7',
    ])
    for (const text of ['not watched here: its memory', '1 more request', 'files changed under'])
      expect(out).toContain(text)
  })

  test('is one object with --json', async () => {
    const { out } = await demonstrated(showing(stopped), ['--json'])
    expect(JSON.parse(out).watched).toEqual({ asExpected: true, ...stopped })
  })

  test('that cannot be shown here is left out with a reason, and that is no failure', async () => {
    const { code, out } = await demonstrated({ leftOut: 'watching needs Linux' })
    expect(code).toBe(0)
    expect(out).toContain('left out   watching needs Linux')
  })

  test.each<[string, WatchedShown]>([
    ['was not stopped', { verdict: 'failed', detail: 'nobody stopped it', unwatched: [] }],
    ['failed no check', { ...stopped, failing: [] }],
    ['never worked', { ...stopped, bookedBefore: 0 }],
    [
      'was quarantined before it was frozen',
      { ...stopped, timeline: { ...stopped.timeline, quarantined: 12.4 } },
    ],
  ])('that %s is not what should have happened', async (_, shown) => {
    const { code, out } = await demonstrated(showing(shown))
    expect(code).toBe(2)
    expect(out).toContain('THIS IS NOT WHAT SHOULD HAVE HAPPENED')
  })
})
