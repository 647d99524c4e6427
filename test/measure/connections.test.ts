import { expect, it } from 'vitest'
import { outgoingIn } from '../../enclave/measure/connections.ts'

const header =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode'
const line = (local: string, remote: string, state: string, inode: number) =>
  `   0: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000  1000        0 ${inode} 1 0`

it('tells where outgoing connections lead, of both families, and leaves out what came in', () => {
  const text = [
    header,
    line('0100007F:1F90', '00000000:0000', '0A', 1),
    line('0100007F:1F90', '0100007F:D431', '01', 2),
    line('0200000A:D431', '010200C0:01BB', '01', 3),
    line('00000000000000000000000000000000:0016', '00000000000000000000000000000000:0000', '0A', 4),
    line('B80D0120000000000000000001000000:D431', 'B80D0120000000000000000002000000:0050', '02', 5),
    line('0000000000000000FFFF00000200000A:D433', '0000000000000000FFFF0000010200C0:01BB', '01', 6),
    line('0200000A:D435', '010200C0:01BB', '06', 0),
    'no line of the kernel',
  ].join('\n')
  expect([...outgoingIn(text)]).toEqual([
    ['3', { address: '192.0.2.1', port: 443 }],
    ['5', { address: '2001:db8::2', port: 80 }],
    ['6', { address: '192.0.2.1', port: 443 }],
  ])
})
