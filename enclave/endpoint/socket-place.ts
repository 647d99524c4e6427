/** Where is the socket, and who may even try? A directory that only we change, and in it a socket that others may not replace. */
import { chmod, chown, lstat, mkdir, unlink } from 'node:fs/promises'
import { connect, type Server } from 'node:net'
import { dirname } from 'node:path'

export interface SocketPlace {
  /** Absolute. sun_path has 108 bytes, and Node cuts silently. */
  readonly path: string
  /** A group whose members may connect besides our own user. */
  readonly gid?: number
}

export class EndpointFault extends Error {
  override readonly name = 'EndpointFault'
}

const LONGEST_PATH = 107

/** Throws EndpointFault for a place that others could change, and for a socket that somebody listens at. */
export async function listenAt(server: Server, { path, gid }: SocketPlace): Promise<void> {
  if (!path.startsWith('/') || Buffer.byteLength(path) > LONGEST_PATH)
    throw new EndpointFault(
      `the socket ${path} must be an absolute path of at most ${LONGEST_PATH} bytes`,
    )
  await ownDirectory(dirname(path), gid)
  await removeStale(path)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      server.off('error', reject)
      resolve()
    })
  })
  // Until here only our own user could connect: a socket is made without write permission for others.
  if (gid !== undefined) await chown(path, ownUid(), gid)
  await chmod(path, 0o660)
}

async function ownDirectory(directory: string, gid: number | undefined): Promise<void> {
  const made = await mkdir(directory, { recursive: true, mode: 0o700 })
  // Each that was made: whoever may not enter one of them reaches nothing below it.
  if (made !== undefined && gid !== undefined)
    for (let each = directory; each.startsWith(made); each = dirname(each)) {
      await chown(each, ownUid(), gid)
      await chmod(each, 0o710)
    }
  const found = await lstat(directory)
  if (!found.isDirectory()) throw new EndpointFault(`${directory} is no directory`)
  if (found.uid !== ownUid() && found.uid !== 0)
    throw new EndpointFault(
      `the directory ${directory} belongs to user ${found.uid}, and not to ${ownUid()} or root: its owner could put another socket there`,
    )
  if ((found.mode & 0o022) !== 0)
    throw new EndpointFault(
      `the directory ${directory} has mode ${(found.mode & 0o777).toString(8)}: others could put another socket there. Use 700, or 710 with --socket-gid`,
    )
}

/** Of a process that ended without tidying up. What is no socket is left alone. */
async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined)
  if (!found) return
  if (!found.isSocket()) throw new EndpointFault(`${path} is there already, and no socket`)
  if (await isAnswered(path)) throw new EndpointFault(`another process listens at ${path} already`)
  await unlink(path)
}

async function isAnswered(path: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect(path)
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    // Any other error (a queue that is full, no right to ask) says that somebody may well be there.
    socket.on('error', (fault) => resolve('code' in fault && fault.code !== 'ECONNREFUSED'))
  })
}

function ownUid(): number {
  return process.geteuid?.() ?? 0
}
