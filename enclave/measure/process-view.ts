/** One process of the agent, in one look. */
import type { Budget } from './budget.ts'
import type { ExecutableMapping } from './proc-maps.ts'
import type { AgentProcess } from './processes.ts'

export interface ProcessView {
  readonly process: AgentProcess
  readonly mappings: readonly ExecutableMapping[]
  readonly budget: Budget
}
