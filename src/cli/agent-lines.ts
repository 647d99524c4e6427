/** How is it told, in one line each, what happens to an agent that is watched? */
import type { AgentNews } from './agent.ts'
import { printable } from './text.ts'

/** With a line end. Nothing in it is believed to be one line. */
export function agentLine({ event, ...said }: AgentNews): string {
  const rest = Object.entries(said)
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([name, value]) => `${name} ${printable(String(value))}`)
  return `vouchsafe agent: ${[event, ...rest].join(', ')}\n`
}
