/** A number in [0, 1), so that many replicas do not do the same thing at the same moment. */
import type { Random } from '../service/ports.ts'

export function jitter(random: Random): number {
  const [a = 0, b = 0, c = 0, d = 0] = random.bytes(4)
  return (((a * 256 + b) * 256 + c) * 256 + d) / 2 ** 32
}
