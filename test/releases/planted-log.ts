/** What does the transparency log of a running service say, in public and to its auditors? */
import { createHash } from 'node:crypto'

/** Every entry of the log as anybody reads it (C2SP tlog-tiles), and the record that it covers, which only an auditor is told. */
export async function logEntries(
  url: string,
  headers: Readonly<Record<string, string>>,
): Promise<Uint8Array> {
  const checkpoint = await (await fetch(`${url}/v1/log/checkpoint`)).text()
  const size = Number(checkpoint.split('\n')[1])
  if (!(size > 0 && size < 256)) throw new Error(`the log has ${size} entries, and not one tile`)
  const tile = await fetch(`${url}/v1/log/tile/entries/000.p/${size}`)
  const bundle = Buffer.from(await tile.arrayBuffer())
  const all: Uint8Array[] = [Buffer.from(checkpoint), bundle]
  for (let at = 0; at < bundle.length; ) {
    const end = at + 2 + bundle.readUInt16BE(at)
    const leaf = createHash('sha256')
      .update('\0')
      .update(bundle.subarray(at + 2, end))
    const body = await fetch(`${url}/v1/log/entries/${leaf.digest('hex')}/body`, { headers })
    if (body.status !== 200) throw new Error(await body.text())
    all.push(new Uint8Array(await body.arrayBuffer()))
    at = end
  }
  return Buffer.concat(all)
}
