import { expect, it } from 'vitest'
import { chosenBlocks } from '../../enclave/measure/memory-text.ts'
import { mappingsIn } from '../../enclave/measure/proc-maps.ts'

function chosen(nonce: string, share: number, blocks: number): string {
  const choose = chosenBlocks({ nonce, share })
  return Array.from({ length: blocks }, () => (choose() ? '1' : '0')).join('')
}

it('chooses other blocks for another nonce, and the same for the same', () => {
  expect(chosen('one', 16, 512)).toBe(chosen('one', 16, 512))
  expect(chosen('one', 16, 512)).not.toBe(chosen('two', 16, 512))
})

it('chooses about the share that was asked for, none, and all', () => {
  const count = (share: number) => chosen('nonce', share, 8192).replaceAll('0', '').length
  expect(count(16)).toBeGreaterThan(400)
  expect(count(16)).toBeLessThan(640)
  expect(count(0)).toBe(0)
  expect(count(256)).toBe(8192)
})

it('reads executable mappings, whatever their files are called', () => {
  const text = [
    '00400000-0044c000 r-xp 00001000 fd:00 1234 /app/a file (deleted)',
    '0044c000-0044d000 r--p 00000000 fd:00 1234 /app/a file (deleted)',
    'ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]',
    'ff7fffff7fc3000-ff7fffff7fc5000 rwxp 00000000 00:00 0 ',
    String.raw`7f0000000000-7f0000001000 --xs 00000000 00:01 7 /memfd:r-xp fd:00 9 /lib\012x (deleted)`,
    '',
  ].join('\n')
  expect(mappingsIn(text)).toEqual([
    {
      start: 0x400000n,
      end: 0x44c000n,
      offset: 0x1000,
      file: 'fd:00:1234',
      path: '/app/a file (deleted)',
      name: '400000-44c000',
    },
    {
      start: 0xff7fffff7fc3000n,
      end: 0xff7fffff7fc5000n,
      offset: 0,
      file: '',
      path: '',
      name: 'ff7fffff7fc3000-ff7fffff7fc5000',
    },
    {
      start: 0x7f0000000000n,
      end: 0x7f0000001000n,
      offset: 0,
      file: '00:01:7',
      path: String.raw`/memfd:r-xp fd:00 9 /lib\012x (deleted)`,
      name: '7f0000000000-7f0000001000',
    },
  ])
})
