/** Can those reach the socket who may, and can nobody be pushed aside who listens there? */
import { spawn } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync, statSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { listenAt } from '../../enclave/endpoint/socket-place.ts'
import { describeWith } from '../policy/external-tool.ts'

const GROUP = 12_345
let folder: string
const servers: Server[] = []

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'vouchsafe-place-')))
})
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
  rmSync(folder, { recursive: true, force: true })
})

async function listening(path: string, gid?: number): Promise<Server> {
  const server = createServer(() => {})
  await listenAt(server, { path, ...(gid !== undefined && { gid }) })
  servers.push(server)
  return server
}

test.skipIf(process.geteuid?.() !== 0)(
  'a group enters each folder that was made for the socket, and nobody else does',
  async () => {
    await listening(join(folder, 'a/b/agent.sock'), GROUP)
    for (const made of ['a', 'a/b']) {
      const { gid, mode } = statSync(join(folder, made))
      expect([gid, mode & 0o777]).toEqual([GROUP, 0o710])
    }
    // What was there before is its owner's.
    expect(statSync(folder).mode & 0o777).toBe(0o700)
  },
)

describeWith(['python3', '--version'], 'a socket', () => {
  test('whose queue is full is not taken for one that was left behind', async () => {
    const path = join(folder, 'agent.sock')
    const holder = spawn('python3', [
      ...['-u', '-c'],
      `import socket,sys
s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(0); waiting=[]
try:
  while True:
    c=socket.socket(socket.AF_UNIX); c.setblocking(False); c.connect(sys.argv[1]); waiting.append(c)
except BlockingIOError: print('full'); sys.stdin.read()`,
      path,
    ])
    await new Promise((resolve) => holder.stdout.once('data', resolve))
    await expect(listening(path)).rejects.toThrow('another process listens')
    const ended = new Promise((resolve) => holder.once('exit', resolve))
    holder.kill('SIGKILL')
    await ended
    // Now it was.
    await listening(path)
  })
})
