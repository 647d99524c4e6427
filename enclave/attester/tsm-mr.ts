/**
 * How does this guest write into RTMR3, so that what it measured cannot be taken back, by root neither? Linux 6.16 and later:
 * Documentation/ABI/testing/sysfs-devices-virtual-misc-tdx_guest. A file for each register: reading gives its 48 bytes,
 * and writing exactly 48 at offset 0 extends it: new = SHA-384(old || written). Nothing resets it before the machine does.
 */
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'

export interface MeasurementRegister {
  readonly name: 'rtmr3'
  /** 48 bytes. */
  readonly read: () => Promise<Uint8Array>
  /** By 48 bytes. Throws RegisterFault; whether it was extended then only `read` tells. */
  readonly extend: (digest: Uint8Array) => Promise<void>
}

/** `absent`: no TDX guest, or a kernel without this interface. `wrong`: it does not behave as documented. */
class RegisterFault extends Error {
  override readonly name = 'RegisterFault'
  readonly kind: 'absent' | 'wrong'

  constructor(kind: 'absent' | 'wrong', message: string, cause?: unknown) {
    super(message, { cause })
    this.kind = kind
  }
}

const ROOT = '/sys/devices/virtual/misc/tdx_guest/measurements'
/** RTMR0 to RTMR2 belong to firmware and boot; RTMR3 is what the specification leaves to the running system. */
const FILE = 'rtmr3:sha384'
const SIZE = 48
/** A link in such a place was made by somebody else; and a pipe must not keep us waiting. */
const CAREFULLY = constants.O_NOFOLLOW | constants.O_NONBLOCK

/** Undefined where there is no such register. `root`: for tests. */
export async function runtimeRegister(root = ROOT): Promise<MeasurementRegister | undefined> {
  const register = registerAt(join(root, FILE))
  try {
    await register.read()
    return register
  } catch (fault) {
    if (fault instanceof RegisterFault && fault.kind === 'absent') return undefined
    throw fault
  }
}

function registerAt(path: string): MeasurementRegister {
  return {
    name: 'rtmr3',
    async read() {
      return await withFile(path, constants.O_RDONLY, async (file) => {
        // One byte more than there may be: a longer answer is no register.
        const { bytesRead, buffer } = await file.read(Buffer.alloc(SIZE + 1), 0, SIZE + 1, 0)
        if (bytesRead !== SIZE)
          throw new RegisterFault('wrong', `${path} has ${bytesRead} bytes and not ${SIZE}`)
        return new Uint8Array(buffer.subarray(0, SIZE))
      })
    },
    async extend(digest) {
      if (digest.length !== SIZE)
        throw new RangeError(`a register is extended by ${SIZE} bytes and not ${digest.length}`)
      await withFile(path, constants.O_WRONLY, async (file) => {
        // One write: the kernel refuses a part, and a second write would extend a second time.
        const { bytesWritten } = await file.write(digest, 0, SIZE, 0)
        if (bytesWritten !== SIZE)
          throw new RegisterFault('wrong', `${path} took ${bytesWritten} of ${SIZE} bytes`)
      })
    },
  }
}

async function withFile<T>(
  path: string,
  access: number,
  use: (file: FileHandle) => Promise<T>,
): Promise<T> {
  let file: FileHandle | undefined
  try {
    file = await open(path, access | CAREFULLY)
    if (!(await file.stat()).isFile()) throw new RegisterFault('wrong', `${path} is no plain file`)
    return await use(file)
  } catch (cause) {
    throw cause instanceof RegisterFault ? cause : faultOf(path, cause)
  } finally {
    await file?.close()
  }
}

function faultOf(path: string, cause: unknown): RegisterFault {
  const code = cause instanceof Error && 'code' in cause ? `${cause.code}` : ''
  const kind = code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENXIO' ? 'absent' : 'wrong'
  return new RegisterFault(
    kind,
    `${path}: ${cause instanceof Error ? cause.message : `${cause}`}`,
    cause,
  )
}
