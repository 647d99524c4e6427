/** Is a line of the sensor taken only if it is exactly one? */
import { describe, expect, it } from 'vitest'
import { lineReader } from '../../enclave/sensor/line-reader.ts'
import { decodeSensorEvent, LONGEST_LINE } from '../../enclave/sensor/sensor-event.ts'

const exec = {
  kind: 'exec',
  seq: 7,
  at: 123_456,
  pid: 10,
  tid: 10,
  parent: 1,
  uid: 1000,
  comm: 'node',
  file: {
    path: '/usr/bin/node',
    isTruncated: false,
    isAnonymous: false,
    inode: '65024:18446744073709551615',
    changedAt: '1795128011121199456',
    size: 123,
  },
}

describe('a line of the sensor', () => {
  it('is decoded as it stands', () => {
    expect(decodeSensorEvent(JSON.stringify(exec))).toEqual(exec)
  })

  it.each([
    ['of another kind', { ...exec, kind: 'execute' }],
    ['with a member too many', { ...exec, extra: 1 }],
    ['without its number', { ...exec, seq: undefined }],
    ['with a negative number', { ...exec, pid: -1 }],
    ['with an inode that is none', { ...exec, file: { ...exec.file, inode: '12' } }],
    ['with a path that no kernel has', { ...exec, file: { ...exec.file, path: 'x'.repeat(4097) } }],
    ['with a name that no kernel has', { ...exec, comm: 'x'.repeat(17) }],
  ])('is nothing when it is one %s', (_, line) => {
    expect(decodeSensorEvent(JSON.stringify(line))).toBeUndefined()
  })

  it('is nothing when it is no JSON, or longer than any', () => {
    expect(decodeSensorEvent('{"kind":')).toBeUndefined()
    expect(decodeSensorEvent(' '.repeat(LONGEST_LINE) + JSON.stringify(exec))).toBeUndefined()
  })
})

describe('lines of a stream', () => {
  it('are whole whatever parts they come in', () => {
    const text = Buffer.from('first\nsécond\n\nlast\nrest')
    for (let size = 1; size <= text.length; size++) {
      const reader = lineReader(100)
      const lines: string[] = []
      for (let at = 0; at < text.length; at += size)
        lines.push(...reader.take(text.subarray(at, at + size)))
      expect(lines).toEqual(['first', 'sécond', '', 'last'])
    }
  })

  it.each([
    ['does not end', ['x'.repeat(60), 'x'.repeat(60)]],
    ['ended too late', [`${'x'.repeat(101)}\n`]],
  ])('are refused when one %s', (_, parts) => {
    const reader = lineReader(100)
    expect(() => {
      for (const part of parts) reader.take(Buffer.from(part))
    }).toThrow('a line is longer than 100 bytes')
  })
})
