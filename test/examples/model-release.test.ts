/** Does `npm run example` do what it says, on this machine, from nothing? It asserts every step itself, and tells them. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { describeWith } from '../policy/external-tool.ts'
import { sshKeygenProbe } from '../policy/ssh-keygen.ts'

const SLOW = 300_000
const root = new URL('../../', import.meta.url)

describeWith(sshKeygenProbe, 'npm run example', () => {
  test(
    'opens a model after attestation, and refuses once it was revoked',
    async () => {
      const program = ['examples/model-release/run.ts']
      const { stdout } = await promisify(execFile)(process.execPath, program, { cwd: root })
      for (const step of [
        'The agent attests, with one of its files changed.',
        'refused with 403 evidence-rejected: snp.measurement.expected',
        'booked by simulated:spiffe://127.0.0.1/t/default/env/prod/agent/invoice-bot',
        'it forgets the model, and its key is zero',
        'refused with evidence-rejected: revoked.digest',
        'All of it went as it should.',
      ])
        expect(stdout).toContain(step)
      expect(stdout).toMatch(/version 1, for [3-6]\d s unless renewed/)
    },
    SLOW,
  )
})
