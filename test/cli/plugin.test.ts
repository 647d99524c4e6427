/** Does `vouchsafe plugin inspect` say what the sandbox would say? */
import { expect, test } from 'vitest'
import { digestOf } from '../../enclave/sandbox/sandbox.ts'
import { pluginCommand } from '../../src/cli/plugin.ts'
import { inspectPlugin } from '../../src/compose/plugins.ts'
import { echo, functionPlugin, i64, command as wasiProgram } from '../sandbox/wasm-builder.ts'
import { filesInMemory, output } from './command.ts'

const files = {
  'echo.wasm': echo(),
  'wasi.wasm': wasiProgram(
    [
      ['fd_write', 'iiii>i'],
      ['random_get', 'ii>i'],
    ],
    [],
  ),
  'greedy.wasm': functionPlugin(i64(0n), { memories: [[0, 1]] }),
  'noise.wasm': Buffer.from('\u001b[31mnoise'),
}

async function run(...args: string[]) {
  const { written, out, err } = output()
  const inspect = inspectPlugin
  const code = await pluginCommand(args, { files: filesInMemory(files), inspect, out, err })
  return { code, ...written }
}

test('a plugin that needs nothing is shown with its digest', async () => {
  const { code, out } = await run('inspect', 'echo.wasm')
  expect(code).toBe(0)
  expect(out).toContain(digestOf(files['echo.wasm']))
  expect(out).toContain('no grant')
  expect(out).toContain('vouchsafe_call(ii)->(I)')
})

test('what it needs is named, for whoever approves it', async () => {
  const { code, out } = await run('inspect', 'wasi.wasm', '--json')
  expect(code).toBe(0)
  expect(JSON.parse(out)).toMatchObject({
    abi: 'command',
    needs: ['wasi', 'random'],
    memoryPages: 2,
    refusals: [],
  })
})

test.each([
  ['greedy.wasm', /no maximum.*--max-memory=16777216/],
  ['noise.wasm', /no module that can be judged/],
])('%s is refused with the reason', async (name, reason) => {
  const { code, out } = await run('inspect', name)
  expect(code).toBe(2)
  expect(out).toMatch(reason)
})

test('a file that is not there is a mistake and no verdict', async () => {
  expect((await run('inspect', 'nowhere.wasm')).code).toBe(1)
})
