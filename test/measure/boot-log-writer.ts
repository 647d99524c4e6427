/** A process that writes a measurement log, and is killed at a step: argv is folder, root of the register, step, how often. */
import { runtimeRegister } from '../../enclave/attester/tsm-mr.ts'
import { openBootLog } from '../../enclave/measure/boot-log.ts'

const [, , folder = '', root = '', step, times = '1'] = process.argv
let left = Number(times)

const log = await openBootLog({
  folder,
  boot: '0b5e7a3c-boot',
  register: await runtimeRegister(root),
  onStep(reached) {
    if (reached === step && --left === 0) process.kill(process.pid, 'SIGKILL')
  },
})
await log.append(['{"event":1}', '{"event":2}'])
await log.append(['{"event":3}', '{"event":4}', '{"event":5}'])
process.send?.('written')
setInterval(() => {}, 1000)
