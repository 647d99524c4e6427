/** What `vouchsafe simulate` does: agents of enclave/fleet/ on the simulated machine that `vouchsafe dev` keeps. */
import { readFile } from 'node:fs/promises'
import type { Target } from '../../enclave/fleet/fleet-connection.ts'
import { FleetRefused, runFleet } from '../../enclave/fleet/run-fleet.ts'
import { collectorDigest } from '../../enclave/measure/collector-digest.ts'
import { Mistake } from '../cli/arguments.ts'
import type { FleetAsked, SimulateDeps } from '../cli/simulate.ts'
import { issuerUrls } from '../service/issuer-names.ts'
import { simulatedAgent } from './attest.ts'

/** `stopped`: ends it early, with a report of what was. */
export function simulatedFleet(stopped: AbortSignal): SimulateDeps['fleet'] {
  return async (asked, told) => {
    const agentOf = await agentsOf(asked)
    const { agents, opensPerSecond, heartbeatSeconds, durationSeconds, connections } = asked
    const { renewTokensSeconds, closes, pids } = asked
    const plan = {
      ...{ agents, opensPerSecond, heartbeatSeconds, durationSeconds, connections },
      ...{ renewTokensSeconds, closes, pids, agentOf },
      target: targetOf(asked.connect),
    }
    try {
      return { verdict: 'ran', report: await runFleet(plan, told, stopped) }
    } catch (fault) {
      if (!(fault instanceof FleetRefused)) throw fault
      const { code, detail } = fault.outcome
      if (code !== 'unreachable') return { verdict: 'refused', code, detail }
      throw new Mistake(
        `${asked.connect} does not answer: ${detail}.`,
        'Check --connect or --service, and that the service is running.',
      )
    }
  }
}

async function agentsOf(asked: FleetAsked) {
  const { service, tenant, environment, agent, audiences, modes, simulated } = asked
  if (!simulated) throw new Mistake('--simulator is missing.', 'Agents of a fleet are simulated.')
  const verifier = asked.issuer ?? issuerUrls(service, tenant).simulated
  const made = {
    identity: { tenant, environment, agent, verifier },
    attester: await simulatedAgent(simulated),
    collector: asked.collector ?? collectorDigest(),
    measurements: asked.measurements === undefined ? [] : await listed(asked.measurements),
    ...{ service, audiences, modes, now: Date.now },
  }
  return () => made
}

const LINE = /^([a-z]+) ([0-9a-f]{64}) {2}(.+)$/

/** Lines of `vouchsafe measure tree`, as events. Throws Mistake. */
async function listed(path: string): Promise<readonly string[]> {
  const text = await readFile(path, 'utf8').catch(() => {
    throw new Mistake(
      `--measurements ${path} cannot be read.`,
      'Check the path and its permissions.',
      'file-unreadable',
    )
  })
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [, kind, digest, name] = LINE.exec(line) ?? []
      if (name === undefined)
        throw new Mistake(
          `--measurements ${path} holds a line that is none of such a list.`,
          'Make it with `vouchsafe measure tree`.',
        )
      return JSON.stringify({ kind, path: name, digest: `sha256:${digest}` })
    })
}

function targetOf(address: string): Target {
  const url = new URL(address)
  const isTls = url.protocol === 'https:'
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || (isTls ? 443 : 80)),
    isTls,
    name: url.host,
  }
}
