/** Where does a line end? Cuts what a program writes into lines, and refuses one that does not end. */

export interface LineReader {
  /** The whole lines that are there now, without their ends. Throws RangeError when a line grows beyond the limit. */
  readonly take: (part: Buffer) => readonly string[]
}

const NEWLINE = 0x0a

export function lineReader(mostBytes: number): LineReader {
  let pending: Buffer[] = []
  let pendingBytes = 0

  return {
    take(part) {
      const end = part.lastIndexOf(NEWLINE)
      if (end < 0) {
        pending.push(part)
        pendingBytes += part.length
        if (pendingBytes > mostBytes)
          throw new RangeError(`a line is longer than ${mostBytes} bytes`)
        return []
      }
      const whole = Buffer.concat([...pending, part.subarray(0, end)])
      pending = [part.subarray(end + 1)]
      pendingBytes = part.length - end - 1
      // One decoding for many lines: the line feed is a byte of its own in UTF-8.
      const lines = whole.toString('utf8').split('\n')
      if (lines.some((line) => line.length > mostBytes))
        throw new RangeError(`a line is longer than ${mostBytes} bytes`)
      return lines
    },
  }
}
