/** The commands of whoever runs an agent, or what stands beside one: tokens, a watched program, a gateway, models, plugins. */
import { localFiles } from '../adapters/local-files.ts'
import type { Output } from '../cli/answering.ts'
import type { AgentSurroundings } from './agent.ts'

export interface AgentHost {
  readonly output: Output
  readonly colour: boolean
  /** Whether stderr leads to a terminal. */
  readonly terminal: boolean
  /** Where the program runs. */
  readonly here: Omit<AgentSurroundings, 'stopped'>
  /** Where it was started; throws where that is gone. */
  readonly cwd: () => string
  /** stdout for bytes: resolves when more may come. */
  readonly write: (bytes: Uint8Array) => Promise<void>
  /** Resolves at the first request to end. */
  readonly stopped: () => Promise<string>
}

/** One row for each, as src/main.ts has them. */
export function agentCommands(host: AgentHost) {
  const { output, colour, terminal, here, cwd, write, stopped } = host
  return {
    attest: {
      summary: 'show a service where this runs, print its tokens, fetch a secret with them',
      run: async (args: readonly string[]) => {
        const [{ attestCommand }, { attestHere, writeSecret }] = await Promise.all([
          import('../cli/attest.ts'),
          import('./attest.ts'),
        ])
        return await attestCommand(args, { ...output, attest: attestHere, writeSecret })
      },
    },
    agent: {
      summary: 'run a program as a watched agent: its session, its tokens, its end',
      run: async (args: readonly string[]) => {
        const [{ agentCommand }, { runAgentHere }] = await Promise.all([
          import('../cli/agent.ts'),
          import('./agent.ts'),
        ])
        return await agentCommand(args, {
          ...output,
          cwd: cwd(),
          run: async (request, say) => await runAgentHere(request, say, { ...here, stopped }),
        })
      },
    },
    gateway: {
      summary: 'tell nginx, Caddy or Envoy whether a request comes from an attested agent',
      run: async (args: readonly string[]) => {
        const [{ gatewayCommand }, { startGateway }] = await Promise.all([
          import('../cli/gateway.ts'),
          import('./gateway.ts'),
        ])
        return await gatewayCommand(args, {
          ...output,
          files: localFiles,
          start: startGateway,
          stopped,
        })
      },
    },
    model: {
      summary: 'seal a model for attested agents, open it where it runs',
      run: async (args: readonly string[]) => {
        const [{ modelCommand }, { modelDeps }] = await Promise.all([
          import('../cli/model.ts'),
          import('./models.ts'),
        ])
        return await modelCommand(args, {
          ...output,
          ...modelDeps(write),
          terminal,
          files: localFiles,
        })
      },
    },
    plugin: {
      summary: 'what does a WebAssembly plugin ask for, and would the sandbox load it?',
      run: async (args: readonly string[]) => {
        const [{ pluginCommand }, { inspectPlugin }] = await Promise.all([
          import('../cli/plugin.ts'),
          import('./plugins.ts'),
        ])
        return await pluginCommand(args, {
          ...output,
          colour,
          files: localFiles,
          inspect: inspectPlugin,
        })
      },
    },
  }
}
