/** Every byte of every file below a folder, to be searched; but for pages of zeros, of which a database keeps many. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const PAGE = 8192
const zeros = Buffer.alloc(PAGE)

/** `leaveOut`: the names of files and folders. Throws where one may not be read. */
export function filesBelow(folder: string, leaveOut: ReadonlySet<string> = new Set()): Uint8Array {
  const parts: Uint8Array[] = []
  for (const each of readdirSync(folder, { withFileTypes: true })) {
    if (leaveOut.has(each.name)) continue
    const path = join(folder, each.name)
    if (each.isDirectory()) parts.push(filesBelow(path, leaveOut))
    else if (each.isFile()) parts.push(withoutZeros(readFileSync(path)))
  }
  return Buffer.concat(parts)
}

function withoutZeros(bytes: Buffer): Uint8Array {
  const parts: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += PAGE) {
    const page = bytes.subarray(at, at + PAGE)
    if (!page.equals(zeros)) parts.push(page)
  }
  return Buffer.concat(parts)
}
