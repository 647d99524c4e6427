/** Is the path of a file rebuilt as it is, however deep, long and strange? Long: vitest.config.ts. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { describeSensor, fileNamed, inodeOf, of, sharedScene } from './sensor-scene.ts'

describeSensor('a path', () => {
  const scene = sharedScene()

  it.each([
    ['one hundred folders deep', Array.from({ length: 100 }, (_, at) => `folder-${at}`).join('/')],
    ['with names of 255 bytes', Array.from({ length: 6 }, () => 'n'.repeat(255)).join('/')],
    ['with one-letter names', Array.from({ length: 400 }, () => 'a').join('/')],
    ['with a name that is not ASCII', 'Prüfung "1"\\\n/мир'],
  ])('a path is whole %s', async (_, inner) => {
    const { run, scratch } = await scene()
    const folder = join(scratch, inner)
    mkdirSync(folder, { recursive: true })
    const path = join(folder, 'file')
    writeFileSync(path, '')
    const { events } = await run('/bin/cat', path)
    expect(fileNamed(path, 'open', events)).toMatchObject({
      inode: inodeOf(path),
      isTruncated: false,
    })
  })

  it('a path longer than the kernel takes in one piece is marked', async () => {
    const { run, scratch } = await scene()
    // Two steps, because no call takes more than 4096 bytes.
    const step = Array.from({ length: 12 }, () => 'd'.repeat(250)).join('/')
    const script =
      'cd "$1" && mkdir -p "$2" && cd "$2" && mkdir -p "$2" && cd "$2" && echo >file && cat file'
    const { events } = await run('/bin/bash', '-c', script, 'deep', scratch, step)
    const deep = of('open', events).find(({ file }) => file.path.endsWith('/file'))
    expect(deep?.file.isTruncated).toBe(true)
    execFileSync('rm', ['-rf', join(scratch, 'd'.repeat(250))])
  })

  it('what an agent names and sizes as it likes never makes the sensor blind', async () => {
    const { run, scratch, sensor } = await scene()
    const names = [
      '\\001\\033[31m',
      '\\"}\\n{',
      '\\355\\240\\200',
      '\\364\\277\\277\\277',
      '\\300\\200',
      'a\\177b',
    ]
    const script = [
      'cd "$1"',
      ...names.map(
        (name) => `f="$(printf 'odd-${name}')"; cp /bin/true "$f"; "./$f"; cat "$f" >/dev/null`,
      ),
      "python3 -c \"import ctypes; ctypes.CDLL(None).prctl(15, bytes([255, 254, 34, 92, 10])); open('hosts', 'w')\"",
      'mkdir -p huge && mount -t tmpfs none huge && truncate -s 9223372036854775807 huge/file && head -c1 huge/file',
      'umount huge',
      'true',
    ].join('\n')
    const { outcome, events } = await run('/bin/bash', '-c', script, 'odd', scratch)
    expect(outcome).toBe(0)
    expect(of('exec', events).filter(({ file }) => file.path.includes('/odd-'))).toHaveLength(
      names.length,
    )
    const sizes = of('open', events)
      .filter(({ file }) => file.path.endsWith('/huge/file'))
      .map(({ file }) => file.size)
    expect(sizes).toContain(Number.MAX_SAFE_INTEGER)
    expect(sensor.blindness()).toBeUndefined()
  })

  it('a path that is no UTF-8 is marked', async () => {
    const { run, scratch } = await scene()
    const script = 'printf x >"$1/$(printf "bad-\\377")"'
    const { events } = await run('/bin/bash', '-c', script, 'bad', scratch)
    const bad = of('open', events).find(({ file }) => file.path.includes('/bad-'))
    expect(bad?.file).toMatchObject({ isTruncated: true })
  })

  it('a path crosses mount points', async () => {
    const { run, scratch } = await scene()
    const mount = join(scratch, 'outer', 'mounted')
    mkdirSync(mount, { recursive: true })
    execFileSync('mount', ['-t', 'tmpfs', 'none', mount])
    try {
      const path = join(mount, 'inside', 'file')
      mkdirSync(join(mount, 'inside'))
      writeFileSync(path, '')
      const { events } = await run('/bin/cat', path)
      expect(fileNamed(path, 'open', events)).toMatchObject({ inode: inodeOf(path) })
    } finally {
      execFileSync('umount', [mount])
    }
  })
})
