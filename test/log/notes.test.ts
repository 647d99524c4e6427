import { describe, expect, test } from 'vitest'
import { parseSubmission } from '../../src/log/add-checkpoint.ts'
import { checkpointText, openCheckpoint, parseCheckpoint } from '../../src/log/checkpoint.ts'
import { decodeEntries, encodeEntries } from '../../src/log/entry-bundle.ts'
import { LogFault } from '../../src/log/log-fault.ts'
import { noteOf, parseNote, signatureLine, verifyNote } from '../../src/log/note.ts'
import { noteSigner, parseVerifierKey, verifierKeyText } from '../../src/log/note-key.ts'
import { parseTilePath, tilePath } from '../../src/log/tile-path.ts'

const AT = new Date('2026-06-01T12:00:30.500Z')
const log = noteSigner('log', 'log.example/1', new Uint8Array(32).fill(1))
const witness = noteSigner('witness', 'witness.example/w', new Uint8Array(32).fill(2))
const text = checkpointText({ origin: 'log.example/1', size: 7, root: new Uint8Array(32).fill(9) })
const lines = [signatureLine(text, log, AT), signatureLine(text, witness, AT)]
const note = noteOf(text, lines)
const keys = { log: log.key, witnesses: [witness.key] }

/** The example of golang.org/x/mod/sumdb/note's documentation. */
const PETER = {
  key: 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
  note: 'If you think cryptography is the answer to your problem,\nthen you don’t know what your problem is.\n\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n'.replaceAll(
    '’',
    "'",
  ),
}

test('the known note of Go’s documentation verifies, and its key is written back as it was', () => {
  const key = parseVerifierKey(PETER.key)
  expect(verifyNote(parseNote(PETER.note), [key])).toHaveLength(1)
  expect(verifierKeyText(key)).toBe(PETER.key)
  const altered = PETER.note.replace('answer', 'cause')
  expect(() => verifyNote(parseNote(altered), [key])).toThrow('does not hold')
})

test('a checkpoint says origin, size and root, who cosigned it and when', () => {
  const opened = openCheckpoint(note, keys)
  expect(opened).toMatchObject({ origin: 'log.example/1', size: 7, extensions: [] })
  // To the second: C2SP tlog-cosignature.
  expect(opened.cosignatures).toEqual([
    { witness: witness.key, at: new Date('2026-06-01T12:00:30Z') },
  ])
})

test('signatures by strangers are passed over, and those by known keys must hold', () => {
  const stranger = noteSigner('witness', 'witness.example/w', new Uint8Array(32).fill(3))
  const more = noteOf(text, [...lines, signatureLine(text, stranger, AT)])
  expect(openCheckpoint(more, keys).cosignatures).toHaveLength(1)
  const other = checkpointText({ origin: 'log.example/1', size: 8, root: new Uint8Array(32) })
  const moved = noteOf(text, [signatureLine(text, log, AT), signatureLine(other, witness, AT)])
  expect(() => openCheckpoint(moved, keys)).toThrow('signature of witness.example/w')
  expect(openCheckpoint(moved, { log: log.key }).cosignatures).toEqual([])
})

test.each<[string, string, string]>([
  ['no signature by the log', noteOf(text, lines.slice(1)), 'bears no signature by log.example/1'],
  ['another origin', note.replace('log.example/1\n', 'log.example/2\n'), 'not of log.example/1'],
  ['another size', note.replace('\n7\n', '\n8\n'), 'does not hold'],
  ['a size with a zero before it', note.replace('\n7\n', '\n07\n'), 'no size of a tree'],
  [
    'a size that is no exact number',
    note.replace('\n7\n', '\n9007199254740993\n'),
    'no size of a tree',
  ],
  ['a root that is too short', note.replace(/\n[^\n]{44}\n/, '\nAAAA\n'), 'no hash of 32 bytes'],
  ['another spelling of the root', note.replace('CQk=\n', 'CQl=\n'), 'no hash of 32 bytes'],
  ['no empty line', note.replace('\n\n', '\n'), 'no empty line'],
  ['no last newline', note.slice(0, -1), 'no empty line'],
  ['a carriage return', note.replace('\n', '\r\n'), 'characters that none contains'],
  ['a signature line that is none', `${note}x\n`, 'is not of the form'],
  ['more signatures than anybody needs', note + lines[1]?.repeat(64), 'at most 64'],
  ['more text than anybody needs', 'x'.repeat(70_000) + note, 'too long'],
])('a checkpoint with %s is refused', (_, altered, reason) => {
  expect(() => openCheckpoint(altered, keys)).toThrow(reason)
  expect(() => openCheckpoint(altered, keys)).toThrow(LogFault)
})

test('extension lines are kept, and none is empty', () => {
  expect(parseCheckpoint(noteOf(`${text}more\n`, lines)).extensions).toEqual(['more'])
  expect(() => parseCheckpoint(noteOf(`${text}\nmore\n`, lines))).toThrow('is empty')
})

test.each([
  PETER.key.replace('c74f20a3', 'c74f20a4'),
  PETER.key.replace('+AR', '+BR'),
  PETER.key.slice(0, -4),
  PETER.key.replace('PeterNeumann', 'Peter Neumann'),
  PETER.key.replace('PeterNeumann', ''),
  '',
])('%j is no verifier key', (key) => {
  expect(() => parseVerifierKey(key)).toThrow(LogFault)
})

describe('tile paths of C2SP tlog-tiles', () => {
  test.each([
    [{ level: 0, index: 0, width: 256 }, 'tile/0/000'],
    [{ level: 0, index: 1234067, width: 256 }, 'tile/0/x001/x234/067'],
    [{ level: 1, index: 999, width: 17 }, 'tile/1/999.p/17'],
    [{ level: 63, index: 1000, width: 1 }, 'tile/63/x001/000.p/1'],
    [{ level: 'entries', index: 273, width: 112 }, 'tile/entries/273.p/112'],
  ] as const)('%j is %s', (name, path) => {
    expect(tilePath(name)).toBe(path)
    const [, level = '', ...rest] = path.split('/')
    expect(parseTilePath(level, rest.join('/'))).toEqual(name)
  })

  test.each([
    ['0', '1'],
    ['0', '0000'],
    ['0', 'x000/001'],
    ['0', '001/002'],
    ['0', 'x001/x002'],
    ['0', '000.p/256'],
    ['0', '000.p/0'],
    ['0', '000.p/01'],
    ['0', '000.p/'],
    ['64', '000'],
    ['00', '000'],
    ['-1', '000'],
    ['data', '000'],
    ['0', 'x999/x999/x999/x999/x999/999'],
  ])('tile/%s/%s is none', (level, rest) => {
    expect(parseTilePath(level, rest)).toBeUndefined()
  })
})

test('entries of any length that fits come back from their bundle, and one that is cut off does not', () => {
  const entries = [0, 1, 255, 256, 65_535].map((length) => new Uint8Array(length).fill(length))
  const bundle = encodeEntries(entries)
  expect(decodeEntries(bundle)).toEqual(entries)
  expect(() => decodeEntries(bundle.subarray(0, -1))).toThrow('entry 4 of the bundle is cut off')
  expect(() => encodeEntries([new Uint8Array(65_536)])).toThrow(RangeError)
})

test.each([
  '',
  'old 1',
  'old 01\n\nx',
  'old -1\n\nx',
  'new 1\n\nx',
  'old 1\nAAAA\n\nx',
  'old 1\r\n\nx',
])('%j is no submission to a witness', (body) => {
  expect(() => parseSubmission(body)).toThrow(LogFault)
})
