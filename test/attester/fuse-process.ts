/**
 * A process that plays the kernel: serves a TsmKernel as a file system of its own at the folder in argv[2], so that mkdir,
 * rmdir, open and close mean what they mean in configfs. Speaks the FUSE protocol (include/uapi/linux/fuse.h, 7.31) on
 * /dev/fuse, which `mount` takes over as an inherited descriptor. Scenarios come one after the other, as messages.
 */
import { spawnSync } from 'node:child_process'
import { openSync, read, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { errors, type Reply, type Scenario, TsmKernel } from './tsm-kernel.ts'

const [, , mountPoint = ''] = process.argv
let kernel = new TsmKernel({})

const ops = {
  lookup: 1,
  forget: 2,
  getattr: 3,
  setattr: 4,
  mkdir: 9,
  rmdir: 11,
  open: 14,
  read: 15,
  write: 16,
  statfs: 17,
  release: 18,
  flush: 25,
  init: 26,
  opendir: 27,
  readdir: 28,
  releasedir: 29,
  interrupt: 36,
  batchForget: 42,
}

/** Node id to what it stands for. 1 is the root. */
const nodes = new Map<bigint, { folder: string; attribute: string | undefined }>()
const ids = new Map<string, bigint>()
/** By file handle: what is written is taken when the file is closed, and what is read is made when it is first read. */
const files = new Map<bigint, { written: Buffer[]; reply: Reply | undefined }>()
let nextHandle = 1n

const device = openSync('/dev/fuse', 'r+')
const mounted = spawnSync(
  'mount',
  [
    '-i',
    '-t',
    'fuse',
    '-o',
    'fd=3,rootmode=40000,user_id=0,group_id=0',
    'vouchsafe-test',
    mountPoint,
  ],
  { stdio: ['ignore', 'ignore', 'inherit', device] },
)
if (mounted.status !== 0) process.exit(3)
process.on('message', (message: { readonly play?: Scenario }) => {
  if (message.play) kernel = new TsmKernel(message.play)
  process.send?.({ folders: kernel.folders, made: kernel.made })
})
process.on('disconnect', () => process.exit(0))
process.send?.('ready')

const readAsync = promisify(read)
const buffer = Buffer.alloc(256 * 1024)
for (;;) {
  const { bytesRead } = await next()
  void answer(Buffer.from(buffer.subarray(0, bytesRead)))
}

async function next() {
  try {
    return await readAsync(device, buffer, 0, buffer.length, null)
  } catch {
    // ENODEV: it was unmounted.
    return process.exit(0)
  }
}

async function answer(request: Buffer): Promise<void> {
  const opcode = request.readUInt32LE(4)
  const unique = request.readBigUInt64LE(8)
  const body = request.subarray(40)
  if (opcode === ops.forget || opcode === ops.interrupt || opcode === ops.batchForget) return
  const reply = await replyTo(opcode, request.readBigUInt64LE(16), body)
  const payload = 'bytes' in reply ? reply.bytes : Buffer.alloc(0)
  const out = Buffer.alloc(16 + payload.length)
  out.writeUInt32LE(out.length, 0)
  out.writeInt32LE('error' in reply ? -reply.error : 0, 4)
  out.writeBigUInt64LE(unique, 8)
  payload.copy(out, 16)
  writeSync(device, out)
}

async function replyTo(opcode: number, id: bigint, body: Buffer): Promise<Reply> {
  const node = nodes.get(id)
  switch (opcode) {
    case ops.init:
      return { bytes: initOut() }
    case ops.lookup:
      return lookup(node?.folder, nameIn(body))
    case ops.getattr:
    case ops.setattr:
      return { bytes: Buffer.concat([Buffer.alloc(16), attr(id, node?.attribute)]) }
    case ops.mkdir: {
      const error = kernel.make(nameIn(body.subarray(8)))
      return error ? { error } : lookup(undefined, nameIn(body.subarray(8)))
    }
    case ops.rmdir:
      return done(kernel.remove(nameIn(body)))
    case ops.open:
    case ops.opendir:
      return { bytes: opened() }
    case ops.read:
      if (node?.attribute === 'outblob' && kernel.delayMs > 0) await sleep(kernel.delayMs)
      return readPart(node, body)
    case ops.write: {
      const offset = Number(body.readBigUInt64LE(8))
      const bytes = body.subarray(40)
      const now =
        node?.attribute === undefined
          ? undefined
          : kernel.writeNow(node.folder, node.attribute, { offset, bytes })
      if (now === 0) return { bytes: counts(bytes.length, 0) }
      if (now !== undefined) return { error: now }
      files.get(body.readBigUInt64LE(0))?.written.push(body.subarray(40))
      return { bytes: counts(body.readUInt32LE(16), 0) }
    }
    case ops.flush:
      commit(node, body.readBigUInt64LE(0))
      return done(0)
    case ops.statfs:
      return { bytes: Buffer.alloc(80) }
    case ops.release:
      files.delete(body.readBigUInt64LE(0))
      return done(0)
    case ops.readdir:
    case ops.releasedir:
      return done(0)
    default:
      return { error: errors.ENOSYS }
  }
}

function done(error: number): Reply {
  return error ? { error } : { bytes: Buffer.alloc(0) }
}

function nameIn(body: Buffer): string {
  return body.toString('utf8', 0, body.indexOf(0))
}

function lookup(folder: string | undefined, name: string): Reply {
  const exists = folder === undefined ? kernel.isFolder(name) : kernel.has(folder, name)
  if (!exists) return { error: errors.ENOENT }
  const node =
    folder === undefined ? { folder: name, attribute: undefined } : { folder, attribute: name }
  const id = idOf(`${node.folder}/${node.attribute ?? ''}`)
  nodes.set(id, node)
  const entry = Buffer.alloc(40)
  entry.writeBigUInt64LE(id, 0)
  return { bytes: Buffer.concat([entry, attr(id, node.attribute)]) }
}

function idOf(path: string): bigint {
  const id = ids.get(path) ?? BigInt(ids.size + 2)
  ids.set(path, id)
  return id
}

/** Sizes are none: as in configfs, only reading shows how much there is. */
function attr(id: bigint, attribute: string | undefined): Buffer {
  const out = Buffer.alloc(88)
  out.writeBigUInt64LE(id, 0)
  out.writeUInt32LE(attribute === undefined ? 0o40700 : 0o100600, 60)
  out.writeUInt32LE(1, 64)
  return out
}

function initOut(): Buffer {
  const out = Buffer.alloc(64)
  out.writeUInt32LE(7, 0)
  out.writeUInt32LE(31, 4)
  out.writeUInt16LE(8, 16)
  out.writeUInt16LE(6, 18)
  out.writeUInt32LE(64 * 1024, 20)
  return out
}

function opened(): Buffer {
  const handle = nextHandle++
  files.set(handle, { written: [], reply: undefined })
  const out = Buffer.alloc(16)
  out.writeBigUInt64LE(handle, 0)
  // FOPEN_DIRECT_IO
  out.writeUInt32LE(1, 8)
  return out
}

function readPart(
  node: { readonly folder: string; readonly attribute: string | undefined } | undefined,
  body: Buffer,
): Reply {
  const file = files.get(body.readBigUInt64LE(0))
  if (!file || node?.attribute === undefined) return { error: errors.EIO }
  file.reply ??= kernel.read(node.folder, node.attribute)
  if ('error' in file.reply) return file.reply
  const offset = Number(body.readBigUInt64LE(8))
  return { bytes: file.reply.bytes.subarray(offset, offset + body.readUInt32LE(16)) }
}

/** As configfs does, at close, whose result nobody looks at. */
function commit(
  node: { readonly folder: string; readonly attribute: string | undefined } | undefined,
  handle: bigint,
): void {
  const written = files.get(handle)?.written.splice(0) ?? []
  if (node?.attribute !== undefined && written.length > 0)
    kernel.write(node.folder, node.attribute, Buffer.concat(written))
}

function counts(first: number, second: number): Buffer {
  const out = Buffer.alloc(8)
  out.writeUInt32LE(first, 0)
  out.writeUInt32LE(second, 4)
  return out
}
