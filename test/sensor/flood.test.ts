/** What is lost when an agent does more than can be told, and is every loss counted? Long: vitest.config.ts. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { SensorEvent } from '../../enclave/sensor/sensor-event.ts'
import { describeSensor, of, testScene } from './sensor-scene.ts'

/** Everything until the kernel has no more to tell. */
async function settled(seen: () => Promise<readonly SensorEvent[]>): Promise<SensorEvent[]> {
  const all: SensorEvent[] = []
  for (let quiet = 0; quiet < 3; ) {
    const events = await seen()
    all.push(...events)
    quiet = events.every(({ kind }) => kind === 'interval') ? quiet + 1 : 0
    await sleep(20)
  }
  return all
}

describeSensor('a flood of events', () => {
  it('that finds no room is counted: numbers that are missing are the losses, exactly', async () => {
    // A page: nothing can keep up with this.
    const scene = await testScene({ ringBytes: 4096 })
    const ends = [1, 2].map(async () => await scene.run(scene.attack, 'flood', '100000'))
    const events = [...(await Promise.all(ends)).flatMap((end) => end.events)]
    events.push(...(await settled(scene.seen)))
    const numbers = new Set(events.flatMap((event) => ('seq' in event ? [event.seq] : [])))
    const last = of('interval', events).at(-1)
    expect(last?.lost).toBeGreaterThan(1000)
    expect(last?.numbered).toBe(numbers.size + (last?.lost ?? 0))
    expect(scene.sensor.dropped()).toBe((last?.lost ?? 0) + (last?.missed ?? 0))
  })

  it('that the buffer holds comes through whole', async () => {
    const scene = await testScene({ ringBytes: 16 * 1024 * 1024 })
    const { events } = await scene.run(scene.attack, 'flood', '50000')
    const all = [...events, ...(await settled(scene.seen))]
    expect(of('sensitive', all)).toHaveLength(50_000)
    expect(scene.sensor.dropped()).toBe(0)
  })
})
