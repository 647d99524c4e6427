/** `vouchsafe agent run --sensor` as it is started on a machine: does the command put together what the other tests do? */
import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { measureAgent, readAgent, simulatedSnp } from '../../enclave/simulator/agent.ts'
import { keptChipKey, keptMachineText, withChipKey } from '../../enclave/simulator/kept-machine.ts'
import { seededChance } from '../../fixtures/seeded.ts'
import { localAgent } from '../../kit/agent/agent.ts'
import { runProgram } from '../cli/program.ts'
import { describeSensor } from '../sensor/sensor-scene.ts'
import { agentCommand } from './agent-files.ts'
import { ALLOWED_PORT, type TamperScene, tamperScene, until } from './scene.ts'

const AGENT = 'one program\n'

describeSensor('the command', () => {
  let scene: TamperScene
  let pipe = ''
  let lines = 0
  // What the one did would keep the other from its session: both run since the same boot of this machine.
  beforeEach(async () => {
    const launch = Buffer.from(
      measureAgent([{ path: 'release.txt', contents: Buffer.from(AGENT) }]),
    )
    scene = await tamperScene(launch.toString('hex'))
    pipe = join(scene.files.folder, 'lines')
    execFileSync('mkfifo', [pipe])
    lines = openSync(pipe, constants.O_RDWR)
  })
  afterEach(async () => {
    closeSync(lines)
    await scene.close()
  })

  it.each<[string, (scene: TamperScene) => string, string]>([
    ['a program that is not listed', ({ files }) => files.strange.program, 'is not approved'],
    [
      'a connection that is not allowed',
      ({ files }) => `${files.attack} connect 127.0.0.1 ${ALLOWED_PORT + 1}`,
      'a connection was denied',
    ],
  ])('freezes the agent for %s, tells why, and ends with it', async (name, line, says) => {
    const { folder, list } = scene.files
    const place = join(folder, name.replaceAll(' ', '-'))
    mkdirSync(place)
    const socket = join(place, 'run/agent.sock')
    const running = runProgram(
      [
        ...['agent', 'run', '--service', scene.service.url, '--agent', 'invoice-bot', '--json'],
        ...['--audience', 'kms.example', ...simulated(place), '--measure', join(folder, 'app')],
        ...['--sensor', '--approved', list, '--allow', `127.0.0.1:${ALLOWED_PORT}`],
        ...['--socket', socket, '--log', join(place, 'log'), '--'],
        ...agentCommand(scene.files, pipe),
      ],
      // Where the sensor was built already.
      { cwd: place, env: { HOME: homedir() } },
    )
    let token = ''
    await until(async () => {
      token = await localAgent({ socket })
        .tokenFor()
        .catch(() => '')
      return token !== ''
    })
    expect(await scene.asked(token)).toBe('accepted')
    writeSync(lines, `${line(scene)} >/dev/null\n`)
    await scene.refused(token)
    const { code, err } = await running
    expect(code).toBe(2)
    const told = err
      .trim()
      .split('\n')
      .map((each) => JSON.parse(each))
    expect(told).toContainEqual({ event: 'frozen', detail: expect.stringContaining(says) })
    expect(told).toContainEqual(expect.objectContaining({ event: 'over', state: 'QUARANTINED' }))
    expect(told).not.toContainEqual(expect.objectContaining({ event: 'left-behind' }))
  })
})

function simulated(place: string): readonly string[] {
  const launched = join(place, 'launched')
  const machine = join(place, 'machine.json')
  mkdirSync(launched)
  writeFileSync(join(launched, 'release.txt'), AGENT)
  expect(readAgent(launched)).toHaveLength(1)
  const privateKey = keptChipKey()
  const chance = withChipKey(seededChance('service tests'), privateKey)
  const platform = simulatedSnp({ chance, issued: new Date('2026-01-01T00:00:00Z') })
  writeFileSync(machine, keptMachineText({ product: 'Genoa', platform, chance, privateKey }))
  return ['--simulator', launched, '--machine', machine]
}
