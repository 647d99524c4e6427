/** Is what `npm pack` makes of kit/agent usable by a program that knows the package’s name only? */
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RunningService } from '../http/running-service.ts'
import { agentsService, localAgentAt, names } from './agent-scene.ts'
import { packedKit } from './packed.ts'

const root = join(import.meta.dirname, '../..')
const scratch = mkdtempSync(join(tmpdir(), 'vouchsafe-agent-'))
let kit = ''
let service: RunningService
beforeAll(async () => {
  kit = join(packedKit(scratch), 'dist/kit/agent')
  service = await agentsService('packed')
}, 60_000)
afterAll(async () => {
  await service.close()
  rmSync(scratch, { recursive: true, force: true })
})

test('it imports node:http, the relying-party kit, and nothing else', () => {
  const scripts = readdirSync(kit).filter((name) => name.endsWith('.js'))
  const imported = scripts.flatMap((name) =>
    [
      ...readFileSync(join(kit, name), 'utf8').matchAll(
        /^(?:import|export)[^'"]*?from ['"]([^'"]+)['"]/gm,
      ),
    ].map(([, from = '']) => from),
  )
  expect(imported.length).toBeGreaterThan(5)
  const others = imported.filter((from) => !/^\.(\/|\.\/relying-party\/)/.test(from))
  expect(others).toEqual(['node:http'])
})

describe.each(['node', ...olderNode()])('under %s', (node) => {
  test('it has tokens, headers and a secret, and two of it meet', async () => {
    const [planner, executor] = await Promise.all([localAgentAt(service), localAgentAt(service)])
    writeFileSync(
      join(scratch, 'use.mjs'),
      `import { localAgent } from 'vouchsafe/agent'
       import { initiate, responder } from 'vouchsafe/agent/mutual'
       import { relyingParty } from 'vouchsafe/relying-party'
       const [issuer, now, planner, executor] = process.argv.slice(2)
       const party = (audience) => relyingParty({ issuer, audience, now: () => Number(now), required: { assurance: 'simulated' } })
       const agent = localAgent({ socket: planner })
       console.log((await agent.tokenFor('${names.planner}')).split('.').length)
       console.log(Object.keys(await agent.headersFor({ method: 'GET', url: 'https://a.example/' })).join())
       console.log(new TextDecoder().decode((await agent.release('secret:db-ro')).secret))
       const [a, b] = ['${names.planner}', '${names.executor}']
       const begun = await initiate({ agent, party: party(a), name: a, peerName: b })
       const other = responder({ agent: localAgent({ socket: executor }), party: party(b), name: b, peerName: a })
       const { finish, peer } = await begun.answer((await other.answer(begun.hello)).reply)
       const met = await other.answer(finish)
       const sealed = await peer.channel.seal(new TextEncoder().encode('met'))
       console.log(new TextDecoder().decode(await met.peer.channel.open(sealed)))
       process.exit()`,
    )
    const at = `${service.clock.at.getTime()}`
    const args = ['use.mjs', service.simulated, at, planner.socket, executor.socket]
    const { stdout, stderr } = await promisify(execFile)(node, args, { cwd: scratch })
    expect([stderr, stdout.split('\n')]).toEqual([
      '',
      ['3', 'authorization,dpop', 'packed', 'met', ''],
    ])
  })
})

/** The oldest that the package says it runs in, where this machine has it. */
function olderNode(): readonly string[] {
  return ['/usr/local/bin/node', '/usr/bin/node'].filter((path) => {
    try {
      return execFileSync(path, ['--version'], { encoding: 'utf8' }).startsWith('v20.')
    } catch {
      return false
    }
  })
}

test('its declarations, and the programs of docs/agents.md that use it, are what they promise', () => {
  const page = readFileSync(join(root, 'docs/agents.md'), 'utf8')
  const programs = [...page.matchAll(/```js\n([\s\S]*?)```/g)].map(([, text = '']) => text)
  expect(programs.length).toBeGreaterThanOrEqual(2)
  programs.push(`import { localAgent } from 'vouchsafe/agent'
    const agent = localAgent()
    // @ts-expect-error: an address is needed
    await agent.headersFor({ method: 'GET' })
    export const end: 'refused' | 'lapsed' | 'closed' = (await (await agent.release('a')).ended()).end`)
  for (const [place, text] of programs.entries()) {
    writeFileSync(join(scratch, `page-${place}.mts`), text)
    expect([text, ...compiled(`page-${place}.mts`)]).toEqual([text, 0, ''])
  }
})

function compiled(file: string): readonly [number | null, string] {
  const options = [
    '--noEmit',
    '--strict',
    '--module',
    'nodenext',
    '--skipLibCheck',
    '--ignoreConfig',
  ]
  const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules/@types')]
  const { stdout, status } = spawnSync(
    join(root, 'node_modules/.bin/tsc'),
    [...options, ...types, '--target', 'esnext', '--lib', 'esnext,dom', file],
    { cwd: scratch, encoding: 'utf8' },
  )
  return [status, stdout]
}
