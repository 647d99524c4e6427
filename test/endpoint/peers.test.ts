/** Does the endpoint answer only those who may speak for the agent, whatever the socket's mode lets through? */
import { spawn } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { isAdmitted } from '../../enclave/endpoint/admitted-peers.ts'
import type { LocalEndpointRequest } from '../../enclave/endpoint/local-endpoint.ts'
import { peerOf } from '../../enclave/endpoint/peer-credentials.ts'
import { askedBy, type EndpointScene, endpointOver, OWN_UID, openToAll } from './endpoint-scene.ts'

/** `nobody`. Only root can be somebody else. */
const OTHER = 65_534
const asRoot = test.skipIf(OWN_UID !== 0)

/** Nobody asks it for anything here. */
const client = { tokens: async () => Promise.reject(new Error('no')) } as never
const scene = async (change?: Partial<LocalEndpointRequest>) => await endpointOver(client, change)

describe('by user', () => {
  test('its own user is answered', async () => {
    const { path } = await scene()
    expect(await askedBy(OWN_UID, path)).toBe('200')
  })

  asRoot('another user is not, though the socket is open to all, and is told nothing', async () => {
    const endpoint = await scene()
    openToAll(endpoint)
    expect(await askedBy(OTHER, endpoint.path)).toBe('refused')
    expect(endpoint.asked).toEqual([])
  })

  asRoot('another user is, where it is named, and root then is not', async () => {
    const endpoint = await scene({ admitted: { uids: [OTHER] } })
    openToAll(endpoint)
    expect(await askedBy(OTHER, endpoint.path)).toBe('200')
    expect(endpoint.asked).toMatchObject([{ peer: { uid: OTHER, gid: OTHER }, status: 200 }])
    expect(await askedBy(0, endpoint.path)).toBe('refused')
  })

  asRoot('who may not even enter the folder does not come that far', async () => {
    const { path } = await scene({ admitted: { uids: [OTHER] } })
    expect(await askedBy(OTHER, path)).toBe('EACCES')
  })
})

describe('by program and control group', () => {
  test('the named program is answered, and a copy of it elsewhere is not', async () => {
    const executables = [process.execPath]
    const { path, directory } = await scene({ admitted: { uids: [OWN_UID], executables } })
    expect(await askedBy(OWN_UID, path)).toBe('200')
    const copy = join(directory, 'node')
    copyFileSync(process.execPath, copy)
    chmodSync(copy, 0o755)
    expect(await askedBy(OWN_UID, path, copy)).toBe('refused')
  })

  test('a program in the named control group is answered, and one in another is not', async () => {
    const groups = readFileSync('/proc/self/cgroup', 'utf8').trim().split('\n')
    const [own = ''] = groups.map((line) => line.split(':').slice(2).join(':'))
    const within = await scene({ admitted: { uids: [OWN_UID], cgroups: [own] } })
    expect(await askedBy(OWN_UID, within.path)).toBe('200')
    const without = await scene({ admitted: { uids: [OWN_UID], cgroups: ['/agents/other'] } })
    expect(await askedBy(OWN_UID, without.path)).toBe('refused')
  })

  test.each([
    ['/agents/a', true],
    ['/agents/a/b', true],
    ['/agents/ab', false],
    ['/agents', false],
    ['/', false],
  ])('%s is within /agents/a: %s', (path, expected) => {
    const peer = { pid: 1, uid: 7, gid: 7, process: { executable: '/x', cgroups: [path] } }
    expect(isAdmitted(peer, { uids: [7], cgroups: ['/agents/a'] })).toBe(expected)
    expect(isAdmitted({ ...peer, process: undefined }, { uids: [7], cgroups: ['/'] })).toBe(false)
    expect(isAdmitted({ ...peer, uid: 8 }, { uids: [7] })).toBe(false)
  })
})

describe('who asks the kernel', () => {
  test.each([
    ['is not there', '/nonexistent/perl'],
    ['says nothing', '/bin/true'],
    ['fails', '/bin/false'],
    ['says something else', '/bin/echo'],
  ])('a program that %s: nobody is known', async (_, perl) => {
    const { socket, close } = await accepted()
    expect(await peerOf(socket, { perl, ask: 'user' })).toBeUndefined()
    close()
  })

  test('leaves the connection as it was: not blocking, and held by nobody else', async () => {
    const { socket, client: theirs, close } = await accepted()
    expect(await peerOf(socket, { ask: 'process' })).toMatchObject({
      ...{ pid: process.pid, uid: OWN_UID },
      process: { executable: process.execPath },
    })
    const { fd } = (socket as unknown as { _handle: { fd: number } })._handle
    const [, flags = ''] =
      /^flags:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')) ?? []
    const O_NONBLOCK = 0o4000
    expect(Number.parseInt(flags, 8) & O_NONBLOCK).toBe(O_NONBLOCK)
    // The other end hears of our end at once: no copy keeps it open.
    const ended = new Promise((resolve) => theirs.once('close', resolve))
    theirs.resume()
    socket.destroy()
    await ended
    close()
  })

  test('does not answer for a program that has ended', async () => {
    const server = createServer({ pauseOnConnect: true })
    const name = `\0vouchsafe-test-${process.pid}`
    await new Promise<void>((resolve) => server.listen(name, resolve))
    const connection = new Promise<Socket>((resolve) => server.once('connection', resolve))
    // Its child holds the connection on, under another number.
    const script = `import os, socket
s = socket.socket(socket.AF_UNIX); s.connect("\\0${name.slice(1)}")
if os.fork() == 0:
    import time; time.sleep(5)`
    const child = spawn('python3', ['-c', script], { stdio: 'ignore', detached: true })
    await new Promise((resolve) => child.once('exit', resolve))
    const socket = await connection
    expect(await peerOf(socket, { ask: 'process' })).toBeUndefined()
    socket.destroy()
    server.close()
  })
})

async function accepted() {
  const server = createServer({ pauseOnConnect: true })
  const name = `\0vouchsafe-peer-${process.pid}-${Math.random()}`
  await new Promise<void>((resolve) => server.listen(name, resolve))
  const theirs = connect(name)
  const socket = await new Promise<Socket>((resolve) => server.once('connection', resolve))
  return {
    socket,
    client: theirs,
    close: () => {
      theirs.destroy()
      socket.destroy()
      server.close()
    },
  }
}

describe('the place of the socket', () => {
  const modeOf = (path: string) => statSync(path).mode & 0o777

  test('is a folder of ours alone, and a socket for us and our group', async () => {
    const { path } = await scene()
    expect(modeOf(join(path, '..'))).toBe(0o700)
    expect(modeOf(path)).toBe(0o660)
  })

  asRoot('lets the named group in', async () => {
    const endpoint = await scene({ gid: OTHER, admitted: { uids: [OTHER] } })
    chmodSync(endpoint.directory, 0o711)
    expect(modeOf(join(endpoint.path, '..'))).toBe(0o710)
    expect(statSync(endpoint.path).gid).toBe(OTHER)
    expect(await askedBy(OTHER, endpoint.path)).toBe('200')
  })

  test.each<[string, (folder: string) => string, string]>([
    [
      'a folder that others may write to',
      (folder) => {
        mkdirSync(join(folder, 'open'))
        chmodSync(join(folder, 'open'), 0o777)
        return join(folder, 'open/agent.sock')
      },
      'others could put another socket there',
    ],
    [
      'a link to a folder',
      (folder) => {
        symlinkSync(folder, join(folder, 'link'))
        return join(folder, 'link/agent.sock')
      },
      'is no directory',
    ],
    [
      'a file that is there',
      (folder) => {
        writeFileSync(join(folder, 'file'), 'mine')
        return join(folder, 'file')
      },
      'no socket',
    ],
    ['a path that is too long', (folder) => join(folder, 'x'.repeat(120)), 'at most 107 bytes'],
    ['a path that is not absolute', () => 'agent.sock', 'absolute path'],
  ])('%s is refused', async (_, place, says) => {
    const { directory }: EndpointScene = await scene()
    await expect(scene({ path: place(directory) })).rejects.toThrow(says)
  })

  test('is not taken from a process that listens, and is from one that has ended', async () => {
    const { path } = await scene()
    await expect(scene({ path })).rejects.toThrow('another process listens')
    const stale = `${path}.stale`
    const script = `require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))`
    await new Promise((resolve) =>
      spawn(process.execPath, ['-e', script, stale]).once('exit', resolve),
    )
    await scene({ path: stale })
    expect(await askedBy(OWN_UID, stale)).toBe('200')
  })
})
