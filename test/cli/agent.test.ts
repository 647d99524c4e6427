/** `vouchsafe agent run`: what is asked for, and how it ends. */
import { describe, expect, test } from 'vitest'
import {
  type AgentDeps,
  type AgentOutcome,
  type AgentRunRequest,
  agentCommand,
} from '#src/cli/agent.ts'
import { output } from './command.ts'

async function running(
  args: readonly string[],
  run: AgentDeps['run'] = async () => ({ verdict: 'ended', code: 0 }),
) {
  const { written, out, err } = output()
  const asked: AgentRunRequest[] = []
  const code = await agentCommand(['run', ...args], {
    ...{ out, err, cwd: '/srv' },
    run: async (request, say) => {
      asked.push(request)
      return await run(request, say)
    },
  })
  return { code, asked, ...written }
}

const least = ['--service', 'https://attest.example.com', '--agent', 'invoice-bot']

describe('what is asked for', () => {
  test('everything after -- is the program’s, its options too', async () => {
    const { asked } = await running([...least, '--', 'python3', 'agent.py', '--json', '--', 'x'])
    expect(asked[0]?.command).toEqual(['python3', 'agent.py', '--json', '--', 'x'])
  })

  test('paths are absolute, and what was not named has its place', async () => {
    const { asked } = await running([...least, '--measure', 'code', '--state', '/mem', '--', 'x'])
    expect(asked).toMatchObject([
      {
        measure: ['/srv/code'],
        state: ['/mem'],
        socket: '/srv/.vouchsafe/agent/run/agent.sock',
        log: '/srv/.vouchsafe/agent/log',
        sensor: false,
        simulated: undefined,
      },
    ])
  })

  test('models have names, and the environment is measured where something of it is free', async () => {
    const own = ['--model', 'llama-small=models/llama', '--free-variable', 'HOME']
    const { asked } = await running([...least, ...own, '--free-variable', 'LANG', '--', 'x'])
    expect(asked).toMatchObject([
      {
        models: [{ name: 'llama-small', path: '/srv/models/llama' }],
        freeVariables: ['HOME', 'LANG'],
      },
    ])
    const none = await running([...least, '--', 'x'])
    expect(none.asked).toMatchObject([{ models: [], freeVariables: undefined }])
  })

  test('what stops the agent on the spot is the sensor’s', async () => {
    const own = ['--sensor', '--approved', 'a.list', '--approved', '/b.list', '--allow', '::1']
    const { asked } = await running([...least, ...own, '--allow-call', 'setuid', '--', 'x'])
    expect(asked).toMatchObject([
      {
        sensor: true,
        approved: ['/srv/a.list', '/b.list'],
        allow: ['::1'],
        allowedCalls: ['setuid'],
        hosts: [],
      },
    ])
  })

  test.each<[string, readonly string[], string]>([
    ['no program', least, 'the program is missing'],
    ['no service', ['--agent', 'a', '--', 'x'], '--service is missing'],
    ['a user by name', [...least, '--uid', 'nobody', '--', 'x'], '--uid nobody is no number'],
    ['a machine alone', [...least, '--machine', 'm', '--', 'x'], 'simulated machine'],
    ['a list for nobody', [...least, '--approved', 'l', '--', 'x'], 'are for the sensor'],
    ['a model without a name', [...least, '--model', '/m', '--', 'x'], 'is not NAME=FOLDER'],
    ['an allowlist for nobody', [...least, '--allow', '::1', '--', 'x'], 'are for the sensor'],
  ])('%s is a mistake', async (_, args, says) => {
    const { code, err, asked } = await running(args)
    expect([code, asked]).toEqual([1, []])
    expect(err).toContain(says)
  })
})

describe('how it ends', () => {
  test.each<[string, Awaited<ReturnType<AgentDeps['run']>>, number]>([
    ['as the program did', { verdict: 'ended', code: 7 }, 7],
    ['with 0 when it was told to stop', { verdict: 'stopped' }, 0],
    ['with 2 for what it did', { verdict: 'over', state: 'QUARANTINED', detail: 'x' }, 2],
  ])('%s', async (_, outcome, expected) => {
    expect((await running([...least, '--', 'x'], async () => outcome)).code).toBe(expected)
  })

  test('with 2 when it was refused, and says why', async () => {
    const refused: AgentOutcome = {
      verdict: 'refused',
      ...{ issuer: 'i', status: 403, code: 'evidence-rejected', detail: 'd' },
      ...{ next: 'run what was approved', failing: ['runtime.x'], requestId: 'r' },
    }
    const { code, err } = await running([...least, '--', 'x'], async () => refused)
    expect(code).toBe(2)
    expect(err).toContain('REFUSED 403 evidence-rejected')
  })

  test('what happens meanwhile is one line each, whatever is in it', async () => {
    const run: AgentDeps['run'] = async (_, say) => {
      say({ event: 'failing', detail: 'one\ntwo', times: 3 })
      return { verdict: 'stopped' }
    }
    const { out, err } = await running([...least, '--', 'x'], run)
    expect([out, err.trimEnd().split('\n')]).toEqual(['', [expect.stringContaining('failing')]])
    const json = await running([...least, '--json', '--', 'x'], run)
    expect(JSON.parse(json.err)).toEqual({ event: 'failing', detail: 'one\ntwo', times: 3 })
  })
})
