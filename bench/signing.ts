/**
 * What does a token cost to sign, in CPU time of the whole process, and for how long does it hold the event loop up? RS256 is
 * asked for by many at once, as it is in a burst of attestations.
 */
import type { TokenForm } from '../src/rats/release.ts'
import { type Issuer, signToken } from '../src/token/issuer.ts'
import { generateTokenKey, importTokenKey } from '../src/token/token-key.ts'

const AT_ONCE = 32
/** About what a token of SEV-SNP evidence says. */
const claims = { filler: 'x'.repeat(1800) }

export async function* signingRows(rounds: number): AsyncGenerator<object> {
  for (const form of ['possession', 'federation', 'workload'] as const) {
    const { pkcs8 } = await generateTokenKey(form)
    const key = importTokenKey(form, pkcs8)
    yield await measured(form, { signer: () => key } as Pick<Issuer, 'signer'> as Issuer, rounds)
  }
}

async function measured(form: TokenForm, issuer: Issuer, rounds: number): Promise<object> {
  let holds: number[] = []
  const sign = () => {
    const before = performance.now()
    const signing = signToken(issuer, { form, claims, at: new Date() })
    holds.push(performance.now() - before)
    return signing
  }
  const burst = () => Promise.all(Array.from({ length: AT_ONCE }, sign))
  for (let round = 0; round < 20; round++) await burst()
  const thread = process.threadCpuUsage()
  const whole = process.cpuUsage()
  const longest: number[] = []
  for (let round = 0; round < rounds; round++) {
    holds = []
    await burst()
    longest.push(Math.max(...holds))
  }
  longest.sort((a, b) => a - b)
  const spent = process.cpuUsage(whole)
  const onThread = process.threadCpuUsage(thread)
  const tokens = rounds * AT_ONCE
  return {
    bench: 'signing',
    form,
    cpuUsPerToken: Math.round((spent.user + spent.system) / tokens),
    mainThreadUsPerToken: Math.round((onThread.user + onThread.system) / tokens),
    // Of each burst the longest; of these the middle one, which no other process has interrupted.
    longestHoldMs: Number((longest[Math.floor(longest.length / 2)] ?? 0).toFixed(3)),
  }
}
