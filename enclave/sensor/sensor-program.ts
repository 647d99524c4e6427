/** Can this machine run the sensor, and where is its loader? */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const buildScript = fileURLToPath(new URL('build.sh', import.meta.url))
/** Bits of capabilities(7). Root of a container lacks them. */
const CAPABILITIES = {
  CAP_NET_ADMIN: 12n,
  CAP_SYS_ADMIN: 21n,
  CAP_PERFMON: 38n,
  CAP_BPF: 39n,
} as const
/** Long enough for a slow machine: clang and the kernel's types. */
const MOST_BUILD_MS = 180_000

/** Undefined: nothing that can be known without loading a program speaks against it. Otherwise the reason in one sentence. */
export function whyNoSensor(): string | undefined {
  if (process.platform !== 'linux') return `this is ${process.platform}, and the sensor needs Linux`
  if (process.arch !== 'x64' && process.arch !== 'arm64')
    return `there is no sensor for ${process.arch}`
  const missing = missingCapabilities(readFileSync('/proc/self/status', 'utf8'))
  if (missing.length > 0) return `loading programs into the kernel needs ${missing.join(', ')}`
  try {
    accessSync('/sys/kernel/btf/vmlinux', constants.R_OK)
  } catch {
    return 'the kernel does not show its types (/sys/kernel/btf/vmlinux, CONFIG_DEBUG_INFO_BTF)'
  }
  return undefined
}

/** `status`: /proc/self/status. */
function missingCapabilities(status: string): readonly string[] {
  const held = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`)
  return Object.entries(CAPABILITIES)
    .filter(([, bit]) => !(held & (1n << bit)))
    .map(([name]) => name)
}

/** Builds the loader from its sources, or finds what was built from them before. Throws Error with the compiler's words. */
export function builtSensorProgram(): string {
  const built = spawnSync(buildScript, { encoding: 'utf8', timeout: MOST_BUILD_MS })
  if (built.status === 0) return built.stdout.trim()
  throw new Error(
    `the sensor was not built: ${(built.stderr || built.error?.message) ?? 'no reason'}`,
  )
}
