/** Does a program that begins a question and never ends it lose its connection, so that others find one? */
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { endpointOver } from './endpoint-scene.ts'

test('who does not end his question in time is cut off', async () => {
  const { path } = await endpointOver({} as never)
  const socket = connect(path).on('error', () => {})
  const began = performance.now()
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.resume().write('GET /v1/tokens HTTP/1.1\r\nHost: vouch')
  await closed
  expect(performance.now() - began).toBeLessThan(12_000)
})
