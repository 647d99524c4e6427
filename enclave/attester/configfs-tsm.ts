/**
 * What does the hardware below this guest say, with these 64 bytes bound into it? Asked through Linux's one interface for
 * every confidential VM: Documentation/ABI/testing/configfs-tsm-report (Linux 6.7 and later). Plain files, no ioctl.
 */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type TsmFiles, tsmFiles } from './tsm-files.ts'

export interface TsmRequest {
  /** 64 bytes: REPORT_DATA. */
  readonly inblob: Uint8Array
  /** VMPL (SEV-SNP) to make the report at; undefined leaves it to the driver. */
  readonly privlevel?: 0 | 1 | 2 | 3
}

export interface TsmReport {
  readonly provider: TsmProvider
  /** SNP report or TDX quote. */
  readonly outblob: Uint8Array
  /** SNP: the host's certificate table. Undefined where there is none. */
  readonly auxblob: Uint8Array | undefined
}

/** Drivers whose reports the verifier knows. Another one's would be bytes that nobody checks. */
const tsmProviders = ['sev_guest', 'tdx_guest'] as const
export type TsmProvider = (typeof tsmProviders)[number]

export interface TsmInterface {
  /** For tests. */
  readonly root?: string
  /** For tests: `any` lets something else than configfs play the kernel. */
  readonly fileSystem?: 'configfs' | 'any'
  readonly files?: TsmFiles
}

/**
 * `absent`: there is no such interface here, or no driver behind it. `busy`: it may do better later. `wrong`: it does not
 * behave as Linux documents it, so nothing it says is used.
 */
export type TsmFaultKind = 'absent' | 'busy' | 'wrong'

export class TsmFault extends Error {
  override readonly name = 'TsmFault'
  readonly kind: TsmFaultKind

  constructor(kind: TsmFaultKind, message: string, cause?: unknown) {
    super(message, { cause })
    this.kind = kind
  }
}

const ROOT = '/sys/kernel/config/tsm/report'
/** include/uapi/linux/magic.h */
const CONFIGFS_MAGIC = 0x62656570
const INBLOB_SIZE = 64
/** A TDX quote with its chain has 5 to 8 KiB, a certificate table 4 KiB. */
const LARGEST_BLOB = 64 * 1024
const LARGEST_TEXT = 64
/** Two who write at once get in each other's way a few times; more often than this, something else is wrong. */
const ATTEMPTS = 5
const FIRST_WAIT_MS = 5

/** Whether there is such an interface. A driver may still be missing behind it, which only a report shows. */
export async function hasTsm({
  root = ROOT,
  fileSystem = 'configfs',
  files = tsmFiles,
}: TsmInterface = {}): Promise<boolean> {
  try {
    const type = await files.fileSystem(root)
    return fileSystem === 'any' || type === CONFIGFS_MAGIC
  } catch {
    return false
  }
}

/** Takes as long as the hardware takes: seconds where the host limits the rate. Throws TsmFault. */
export async function tsmReport(request: TsmRequest, tsm: TsmInterface = {}): Promise<TsmReport> {
  if (request.inblob.length !== INBLOB_SIZE)
    throw new RangeError(`inblob has ${request.inblob.length} bytes and not ${INBLOB_SIZE}`)
  const { root = ROOT, files = tsmFiles } = tsm
  if (!(await hasTsm(tsm))) throw new TsmFault('absent', `there is no TSM interface at ${root}`)
  for (let attempt = 1; ; attempt++)
    try {
      return await inOwnDirectory(files, root, async (folder) => await report(folder, request))
    } catch (cause) {
      const fault = faultOf(cause)
      if (fault.kind !== 'busy' || attempt === ATTEMPTS) throw fault
      await sleep(FIRST_WAIT_MS * 2 ** attempt)
    }
}

interface Folder {
  readonly read: (name: string, most: number) => Promise<Uint8Array>
  readonly write: (name: string, bytes: Uint8Array) => Promise<void>
}

/** One for each attempt, under a name that nobody else knows, and gone afterwards whatever happened. */
async function inOwnDirectory<T>(
  files: TsmFiles,
  root: string,
  use: (folder: Folder) => Promise<T>,
): Promise<T> {
  const path = join(root, `vouchsafe-${randomBytes(16).toString('hex')}`)
  await files.makeDirectory(path)
  try {
    return await use({
      read: async (name, most) => await files.read(join(path, name), most),
      write: async (name, bytes) => await files.write(join(path, name), bytes),
    })
  } finally {
    await remove(files, path)
  }
}

/** A folder that stays is kernel memory that stays: a service that leaks one for each request must hear of it. */
async function remove(files: TsmFiles, path: string): Promise<void> {
  for (let attempt = 1; ; attempt++)
    try {
      await files.removeDirectory(path)
      return
    } catch (cause) {
      if (!isPassing(cause) || attempt === ATTEMPTS)
        throw new TsmFault('wrong', `${path} cannot be removed: ${reasonOf(cause)}`, cause)
      await sleep(FIRST_WAIT_MS * 2 ** attempt)
    }
}

async function report(folder: Folder, { inblob, privlevel }: TsmRequest): Promise<TsmReport> {
  const provider = providerOf(await textOf(folder, 'provider'))
  const before = await generationOf(folder)
  await folder.write('inblob', inblob)
  if (privlevel !== undefined) await writePrivlevel(folder, privlevel)
  const writes = privlevel === undefined ? 1 : 2
  // Reading it is what makes the report.
  const outblob = await folder.read('outblob', LARGEST_BLOB)
  const auxblob = await auxblobOf(folder)
  const after = await generationOf(folder)
  // Last, and about everything: configfs takes a binary attribute when it is closed, and tells nobody when it did not.
  if (after !== before + writes)
    throw new TsmFault(
      'busy',
      `somebody else wrote to the report, or a write was lost: generation ${after} after ${writes} from ${before}`,
    )
  if (outblob.length === 0) throw new TsmFault('wrong', 'the report is empty')
  return { provider, outblob, auxblob }
}

function providerOf(name: string): TsmProvider {
  const known = tsmProviders.find((each) => each === name)
  if (known) return known
  throw new TsmFault(
    'wrong',
    `reports come from ${JSON.stringify(name)}, which is none of ${tsmProviders.join(', ')}`,
  )
}

/** Below the floor the kernel would refuse too, and in words that say less. */
async function writePrivlevel(folder: Folder, privlevel: number): Promise<void> {
  const floor = numberOf('privlevel_floor', await textOf(folder, 'privlevel_floor'))
  if (privlevel < floor)
    throw new TsmFault('wrong', `privilege level ${privlevel} is below this guest’s own, ${floor}`)
  await folder.write('privlevel', new TextEncoder().encode(`${privlevel}`))
}

async function generationOf(folder: Folder): Promise<number> {
  return numberOf('generation', await textOf(folder, 'generation'))
}

/** Drivers without one have no such attribute, or an empty one. */
async function auxblobOf(folder: Folder): Promise<Uint8Array | undefined> {
  try {
    const auxblob = await folder.read('auxblob', LARGEST_BLOB)
    return auxblob.length === 0 ? undefined : auxblob
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return undefined
    throw cause
  }
}

async function textOf(folder: Folder, name: string): Promise<string> {
  const bytes = await folder.read(name, LARGEST_TEXT)
  return Buffer.from(bytes).toString('latin1').replace(/\n$/, '')
}

function numberOf(name: string, text: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text)
  throw new TsmFault('wrong', `${name} is ${JSON.stringify(text)} and no number`)
}

/** What the kernel says when it may do better the next time (ABI text: EBUSY; EWOULDBLOCK is EAGAIN). */
const PASSING = ['EBUSY', 'EINTR', 'EAGAIN']
/** ENXIO: no driver has registered (drivers/virt/coco/tsm.c). ENOENT, and the folder gone with its driver. */
const ABSENT = ['ENXIO', 'ENODEV', 'ENOENT']

function faultOf(cause: unknown): TsmFault {
  if (cause instanceof TsmFault) return cause
  const kind = isPassing(cause) ? 'busy' : ABSENT.includes(codeOf(cause)) ? 'absent' : 'wrong'
  return new TsmFault(kind, `the TSM interface: ${reasonOf(cause)}`, cause)
}

function isPassing(cause: unknown): boolean {
  return PASSING.includes(codeOf(cause))
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : ''
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
