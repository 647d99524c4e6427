/**
 * With which environment does the agent run? One digest over all its variables; of those that may differ from machine to machine
 * neither value nor presence counts. Not one that decides what code is loaded may be among these.
 */
import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import type { Sha256 } from './file-digest.ts'

/** The kernel gives a program at most a quarter of its stack; what is longer was never a normal start. */
const LARGEST = 2 * 1024 * 1024
/** Loaders and interpreters take code or options from these. */
const DECIDES_CODE =
  /^(LD_|DYLD_|GCONV_PATH$|NODE_|PYTHON|PERL|RUBY|JAVA_|_JAVA|JDK_|BASH_ENV$|ENV$|IFS$|PATH$|GLIBC_TUNABLES$|MALLOC_|OPENSSL_|SSL_)/

/** Throws TypeError for a name that may not be free. */
export function refuseUnfree(free: readonly string[]): void {
  for (const name of free)
    if (DECIDES_CODE.test(name) || name.includes('='))
      throw new TypeError(`${name} decides what code is loaded: it must be measured`)
}

/** `variables`: `NAME=value` each, as /proc/PID/environ has them. The kernel keeps what it was given: a name may come twice. */
export function environmentDigest(
  variables: readonly Uint8Array[],
  free: readonly string[],
): Sha256 {
  const ignored = new Set(free)
  const counted = variables
    .filter((each) => !ignored.has(nameOf(each)))
    .toSorted((a, b) => Buffer.compare(a, b))
  const hash = createHash('sha256')
  // No variable holds a NUL, so these bytes can be read in one way only.
  for (const variable of counted) hash.update(variable).update('\0')
  return `sha256:${hash.digest('hex')}`
}

/** What lies where the kernel put the environment, which the process itself may have overwritten. Throws the kernel's error. */
export function readEnvironment(pid: number): readonly Uint8Array[] {
  const file = openSync(`/proc/${pid}/environ`, 'r')
  try {
    const bytes = Buffer.alloc(LARGEST)
    let length = 0
    for (;;) {
      const read = readSync(file, bytes, length, LARGEST - length, length)
      if (read === 0) break
      length += read
      if (length === LARGEST) throw new RangeError(`more than ${LARGEST} bytes`)
    }
    return split(bytes.subarray(0, length))
  } finally {
    closeSync(file)
  }
}

function split(bytes: Uint8Array): readonly Uint8Array[] {
  const parts: Uint8Array[] = []
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf(0, from)
    const to = end === -1 ? bytes.length : end
    if (to > from) parts.push(bytes.subarray(from, to))
    from = to + 1
  }
  return parts
}

function nameOf(variable: Uint8Array): string {
  const end = variable.indexOf('='.charCodeAt(0))
  return Buffer.from(end === -1 ? variable : variable.subarray(0, end)).toString('latin1')
}
