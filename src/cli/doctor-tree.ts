/** What was found, as a tree: a group is as well as the worst of what it holds. */
import type { Examination } from './examination.ts'
import { coloured, plain, printable, type Tone } from './text.ts'

export type State = 'ok' | 'warning' | 'failure'

export interface Diagnosis {
  readonly group: string
  readonly name: string
  readonly state: State
  readonly detail: string
  /** What to do, unless all is well. */
  readonly advice: string | null
}

const tones: Readonly<Record<State, Tone>> = { ok: 'good', warning: 'doubtful', failure: 'bad' }
const gravity: readonly State[] = ['ok', 'warning', 'failure']

export async function diagnose(
  group: string,
  { name, advice, examine }: Examination,
): Promise<Diagnosis> {
  try {
    const found = await examine()
    if (typeof found === 'string') return { group, name, state: 'ok', detail: found, advice: null }
    const { warning: detail, advice: own = advice } = found
    return { group, name, state: 'warning', detail, advice: own }
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause)
    return { group, name, state: 'failure', detail, advice }
  }
}

export function worstOf(diagnoses: readonly Pick<Diagnosis, 'state'>[]): State {
  return gravity[Math.max(0, ...diagnoses.map(({ state }) => gravity.indexOf(state)))] ?? 'failure'
}

const STATE_WIDTH = 10
const NAME_WIDTH = 22

export function groupText(
  group: string,
  diagnoses: readonly Diagnosis[],
  { colour }: { readonly colour: boolean },
): string {
  const paint = colour ? coloured : plain
  const mark = (state: State) => paint(tones[state], `[${state}]`.padEnd(STATE_WIDTH))
  const behind = ' '.repeat(2 + STATE_WIDTH + 1 + NAME_WIDTH + 1)
  return [
    `${mark(worstOf(diagnoses))} ${group}`,
    ...diagnoses.flatMap(({ name, state, detail, advice }) => [
      `  ${mark(state)} ${name.padEnd(NAME_WIDTH)} ${detail.split('\n').map(printable).join(`\n${behind}`)}`,
      ...(advice === null ? [] : [`${behind}${paint('faint', printable(advice))}`]),
    ]),
    '',
  ].join('\n')
}
