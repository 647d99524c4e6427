/** Reads the Prometheus text format 0.0.4 as strictly as its description allows, to check what we write. */

export interface ParsedFamily {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly samples: readonly ParsedSample[]
}

export interface ParsedSample {
  /** Of a histogram's: `_bucket`, `_sum`, `_count`; otherwise empty. */
  readonly suffix: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** Throws Error with the line. */
export function parseExposition(text: string): ReadonlyMap<string, ParsedFamily> {
  if (!text.endsWith('\n')) throw new Error('the last line has no end')
  const families = new Map<string, ParsedFamily & { samples: ParsedSample[] }>()
  let current: (ParsedFamily & { samples: ParsedSample[] }) | undefined
  let help: { readonly name: string; readonly text: string } | undefined
  for (const line of text.slice(0, -1).split('\n')) {
    const [, keyword, name = '', rest = ''] =
      /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/.exec(line) ?? []
    if (keyword === 'HELP') {
      help = { name, text: rest.replace(/\\(\\|n)/g, (_, c) => (c === 'n' ? '\n' : '\\')) }
      continue
    }
    if (keyword === 'TYPE') {
      if (families.has(name)) throw new Error(`a second family of this name: ${line}`)
      if (help?.name !== name) throw new Error(`no HELP before: ${line}`)
      if (!/^(gauge|counter|histogram)$/.test(rest)) throw new Error(`no such type: ${line}`)
      current = { name, type: rest, help: help.text, samples: [] }
      families.set(name, current)
      continue
    }
    if (!current) throw new Error(`a sample of no family: ${line}`)
    const sample = sampleOf(line, current)
    const key = JSON.stringify([sample.suffix, sample.labels])
    if (current.samples.some(({ suffix, labels }) => JSON.stringify([suffix, labels]) === key))
      throw new Error(`the same sample again: ${line}`)
    current.samples.push(sample)
  }
  return families
}

function sampleOf(
  line: string,
  { name: family, type }: Pick<ParsedFamily, 'name' | 'type'>,
): ParsedSample {
  if (!line.startsWith(family)) throw new Error(`not of ${family}: ${line}`)
  const [suffix] = /^(?:_bucket|_sum|_count)?(?=[{ ])/.exec(line.slice(family.length)) ?? ['?']
  if ((suffix !== '') !== (type === 'histogram')) throw new Error(`not a ${type}: ${line}`)
  let rest = line.slice(family.length + suffix.length)
  const labels: Record<string, string> = {}
  if (rest.startsWith('{')) {
    rest = rest.slice(1)
    while (!rest.startsWith('}')) {
      const found = /^,?([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"/.exec(rest)
      if (!found) throw new Error(`no label: ${rest}`)
      const [whole, name = '', value = ''] = found
      if (name in labels) throw new Error(`the label ${name} twice: ${line}`)
      labels[name] = value.replace(/\\(["\\n])/g, (_, c) => (c === 'n' ? '\n' : c))
      rest = rest.slice(whole.length)
    }
    rest = rest.slice(1)
  }
  const [, number] = /^ (NaN|[+-]?Inf|[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/.exec(rest) ?? []
  if (number === undefined) throw new Error(`no value: ${line}`)
  return { suffix, labels, value: Number(number.replace('Inf', 'Infinity')) }
}
