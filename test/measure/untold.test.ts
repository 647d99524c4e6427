import { expect, it } from 'vitest'
import { Untold } from '../../enclave/measure/untold.ts'
import { LONGEST_DELTA, transcriptDelta } from '../../src/rats/session-message.ts'

const measurement = (index: number) =>
  JSON.stringify({
    kind: 'code',
    path: `/app/${'folder/'.repeat(8)}${index}.js`,
    digest: 'sha256:…',
  })
const blind = { kind: 'blind', reason: 'x'.repeat(250) } as const

it('never hands out more than one message may hold, in order, and loses nothing', () => {
  const measurements = Array.from({ length: 5000 }, (_, index) => measurement(index))
  const untold = new Untold(measurements)
  for (let index = 0; index < 2000; index++) untold.add({ ...blind, reason: `${index}` })
  const told = { measurement: [] as string[], behaviour: [] as string[] }
  for (let isComplete = false, messages = 0; !isComplete && messages < 20; messages++) {
    const next = untold.next()
    const { measurement: measured, behaviour } = next
    expect(transcriptDelta.shape.measurement.safeParse(measured).success).toBe(true)
    expect([...measured, ...behaviour].join('').length).toBeLessThanOrEqual(LONGEST_DELTA)
    told.measurement.push(...measured)
    told.behaviour.push(...behaviour)
    untold.confirm({ measurement: measured.length, behaviour: behaviour.length })
    isComplete = next.isComplete
  }
  expect(told.measurement).toEqual(measurements)
  expect(told.behaviour.map((event) => JSON.parse(event).reason)).toEqual(
    Array.from({ length: 2000 }, (_, index) => `${index}`),
  )
})

it('takes a confirmation of an older answer, though a newer one holds less of one kind', () => {
  const measurements = Array.from({ length: 5000 }, (_, index) => measurement(index))
  const untold = new Untold(measurements)
  const before = untold.next().measurement.length
  for (let index = 0; index < 1000; index++) untold.add(blind)
  expect(untold.next().measurement.length).toBeLessThan(before)
  untold.confirm({ measurement: before, behaviour: 0 })
  expect(untold.next().measurement[0]).toBe(measurements[before])
})

it('counts what it could not keep for a verifier that hears nothing', () => {
  const untold = new Untold([])
  for (let index = 0; index < 9000; index++) untold.add(blind)
  expect(untold.lost).toBeGreaterThan(0)
  expect(untold.lost + untold.waiting).toBe(9000)
})
