/**
 * `npm run fuzz [-- --inputs N] [--minutes M] [--seed S] [--target NAME]`: mutated inputs for every parser, a million in
 * all unless told otherwise. Exit code 1 when anything but Malformed escaped or an input took too long; such inputs are
 * printed in base64, to be kept as a fixture.
 */
import { parseArgs } from 'node:util'
import { run } from './campaign.ts'
import { targets } from './targets.ts'

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '1000000' },
    minutes: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    target: { type: 'string' },
  },
})
const chosen = targets.filter(({ name }) => values.target === undefined || name === values.target)
if (chosen.length === 0) {
  console.error(
    `no target "${values.target}"; there are: ${targets.map(({ name }) => name).join(', ')}`,
  )
  process.exit(1)
}
const each = Math.ceil(Number(values.inputs) / chosen.length)
const deadline = performance.now() + Number(values.minutes) * 60_000
let total = 0
let failed = false
for (const target of chosen) {
  const { inputs, slowestMs, findings } = run(target, {
    inputs: each,
    seed: Number(values.seed),
    until: () => performance.now() > deadline,
  })
  total += inputs
  failed ||= findings.length > 0
  console.log(
    `${target.name}: ${inputs} inputs, slowest ${slowestMs.toFixed(1)} ms, ${findings.length} findings`,
  )
  for (const { what, input } of findings) console.log(`  ${what}\n  ${input}`)
}
const megabytes = Math.round(process.memoryUsage().rss / 1e6)
console.log(`${total} inputs in all, ${megabytes} MB resident at the end`)
process.exitCode = failed ? 1 : 0
