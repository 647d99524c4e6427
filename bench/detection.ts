/**
 * How long may an agent act that was tampered with? From the act, in this order: until it is frozen on the machine itself, and until a
 * relying party that follows the service's stream refuses its token. Service, agent, sidecar and relying party share this machine, and the
 * database is memory: what a network and a disk cost comes on top. Each act begins when the test's own process asks for it, so
 * that the shell which carries it out is part of the time. What no event tells waits for the next look of the sidecar: acts are
 * spread evenly over the time between two of them.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { whyNoSensor } from '../enclave/sensor/sensor-program.ts'
import { LOOK_EVERY_MS } from '../enclave/sidecar/guarding.ts'
import { type Act, acts, mend } from '../test/tamper/acts.ts'
import { type TamperScene, tamperScene } from '../test/tamper/scene.ts'
import { median } from './harness.ts'

export interface DetectionPlan {
  readonly rounds: number
}

export const usualDetectionPlan: DetectionPlan = { rounds: 15 }
export const quickDetectionPlan: DetectionPlan = { rounds: 3 }

export async function* detectionRows({ rounds }: DetectionPlan): AsyncGenerator<object> {
  const reason = whyNoSensor()
  if (reason) {
    yield { bench: 'detection', skipped: reason }
    return
  }
  const scene = await tamperScene()
  try {
    for (const act of acts) yield await rowOf(scene, act, rounds)
  } finally {
    await scene.close()
  }
}

async function rowOf(scene: TamperScene, { name, act }: Act, rounds: number): Promise<object> {
  const frozen: number[] = []
  const refused: number[] = []
  for (let round = 0; round < rounds; round++) {
    const agent = await scene.start()
    await sleep((LOOK_EVERY_MS * round) / rounds)
    try {
      const at = await act(scene, agent)
      refused.push((await scene.refused(agent.token)) - at)
      const alarm = agent.guard.alarm()
      if (alarm) frozen.push(alarm.at - at)
    } finally {
      await agent.stop()
      mend(scene)
    }
  }
  return {
    bench: `detection: ${name}`,
    frozen_ms: frozen.length === 0 ? 'not frozen' : rounded(median(frozen)),
    worst_frozen_ms: frozen.length === 0 ? 'not frozen' : rounded(Math.max(...frozen)),
    refused_ms: rounded(median(refused)),
    worst_refused_ms: rounded(Math.max(...refused)),
    rounds,
  }
}

function rounded(milliseconds: number): number {
  return Number(milliseconds.toFixed(1))
}
