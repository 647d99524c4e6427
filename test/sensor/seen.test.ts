/** Does the sensor see what an agent starts, loads, opens and asks the kernel for? */
import { execFileSync } from 'node:child_process'
import { copyFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import {
  calls,
  changedAt,
  describeSensor,
  fileNamed,
  inodeOf,
  of,
  sharedScene,
  testScene,
} from './sensor-scene.ts'

describeSensor('what a watched agent starts and loads', () => {
  const scene = sharedScene()

  it('a program is seen with its path, inode and time of change', async () => {
    const { run, scratch } = await scene()
    const program = join(scratch, 'unlisted')
    copyFileSync('/bin/true', program)
    const { events } = await run(program)
    expect(fileNamed(program, 'exec', events)).toEqual({
      path: program,
      isTruncated: false,
      isAnonymous: false,
      inode: inodeOf(program),
      changedAt: changedAt(program),
      size: statSync(program).size,
    })
  })

  it('a library that LD_PRELOAD names is seen when it is mapped, and again after it changed', async () => {
    const { run, scratch } = await scene()
    const source = join(scratch, 'preloaded.c')
    const library = join(scratch, 'preloaded.so')
    writeFileSync(source, 'int answer(void) { return 42; }\n')
    execFileSync('gcc', ['-shared', '-fPIC', '-o', library, source])
    const preload = async () =>
      fileNamed(
        library,
        'map',
        (await run('/usr/bin/env', `LD_PRELOAD=${library}`, '/bin/true')).events,
      )
    expect(await preload()).toMatchObject({
      inode: inodeOf(library),
      changedAt: changedAt(library),
    })
    expect(await preload()).toBeUndefined()
    execFileSync('gcc', ['-shared', '-fPIC', '-g', '-o', library, source])
    expect(await preload()).toMatchObject({ changedAt: changedAt(library) })
  })

  it('the dynamic loader, which the kernel maps itself, is seen', async () => {
    const fresh = await testScene()
    const { events } = await fresh.run('/bin/true')
    expect(of('map', events).some(({ file }) => /ld-linux/.test(file.path))).toBe(true)
  })

  it.each([
    ['made executable after it was mapped', 'map-later'],
    [
      'mapped for reading by a process whose personality makes that executable',
      'map-by-personality',
    ],
  ])('a file is seen that was %s', async (_, act) => {
    const { run, attack, scratch } = await scene()
    const path = join(scratch, `text-of-${act}`)
    writeFileSync(path, 'x'.repeat(4096))
    const { events, outcome } = await run(attack, act, path)
    expect(outcome).toBe(0)
    expect(fileNamed(path, 'map', events)).toMatchObject({ inode: inodeOf(path) })
  })

  it('code without a file is seen: the memfd, and the program in it, which is anonymous', async () => {
    const { run, attack } = await scene()
    const { events } = await run(attack, 'memfd-exec')
    expect(calls(events)).toContain('memfd_create payload')
    expect(of('exec', events).at(-1)?.file).toMatchObject({
      path: '/memfd:payload',
      isAnonymous: true,
    })
  })

  it('an inode is reported once per access, and its further opens are counted', async () => {
    const { run, scratch } = await scene()
    const path = join(scratch, 'often')
    writeFileSync(path, '')
    const { events } = await run(
      '/bin/bash',
      '-c',
      'for i in {1..20}; do read x <"$1"; done; exit 0',
      '-',
      path,
    )
    expect(of('open', events).filter(({ file }) => file.path === path)).toHaveLength(1)
    const again = of('interval', events)
      .flatMap(({ opens }) => opens)
      .filter(({ inode }) => inode === inodeOf(path))
    expect(again.reduce((sum, { count }) => sum + count, 0)).toBe(19)
  })
})

describeSensor('what a watched agent calls', () => {
  const scene = sharedScene()

  it.each([
    ['ptrace', 'ptrace 0 0'],
    ['io-uring', 'io_uring_setup 1'],
    // IORING_OP_OPENAT
    ['open-by-ring', 'io-uring-operation 18'],
    ['raw-socket', 'socket 2 3 1'],
    ['vsock', 'socket 40 1 0'],
    ['foreign-abi', 'foreign-abi 20'],
    ['map-by-personality', 'personality 4194304'],
  ])('%s is seen', async (act, call) => {
    const { run, attack } = await scene()
    expect(calls((await run(attack, act, '/bin/true')).events)).toContain(call)
  })

  it('ordinary sockets and forks are no sensitive calls', async () => {
    const { run } = await scene()
    const script =
      'python3 -c "import socket; socket.socket(); socket.socket(socket.AF_UNIX)"; (true)'
    expect(calls((await run('/bin/bash', '-c', script)).events)).toEqual([])
  })

  it('calls are counted by name', async () => {
    const { run, attack } = await scene()
    const { events } = await run(attack, 'flood', '1000')
    const counted = of('interval', events).reduce(
      (sum, each) => sum + (each.systemCalls.unshare ?? 0),
      0,
    )
    expect(counted).toBe(1000)
  })

  it('bytes are counted by destination', async () => {
    const { run, attack } = await scene()
    const { events } = await run(attack, 'send', '127.0.0.1', '4711')
    const sums = of('interval', events).flatMap(({ destinations }) => destinations)
    // IPv4 and UDP headers and six bytes.
    expect(sums.find(({ port }) => port === 4711)).toMatchObject({ protocol: 'udp', sent: 34 })
  })
})
