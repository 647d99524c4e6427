/** What `vouchsafe doctor` asks of the machine: clock, ports, and who else may read or write the files that it rests on. */

import type { SettingInForce } from '../config/in-force.ts'
import type { Config } from '../config.ts'
import type { Examination, Warning } from './examination.ts'

export interface MachinePorts {
  readonly now: () => Date
  /** What the vendors' servers say the time is. Rejects where none answers. */
  readonly vendorTime: (config: Config) => Promise<{ readonly by: string; readonly date: Date }>
  /** Whether a socket can listen there, and if not, whether what has it is a vouchsafe. Rejects with the system's error. */
  readonly probePort: (host: string, port: number) => Promise<'free' | 'ours' | 'taken'>
  /** Permission bits; undefined where there is no such file. */
  readonly modeOf: (path: string) => Promise<number | undefined>
}

/** A vendor's list is refused when it is from the future by more than an hour (adapters/endorsement-cache.ts). */
const WRONG_CLOCK_MS = 5 * 60_000
const DIFFERING_CLOCK_MS = 30_000

export function vendorClockExamination(
  { now, vendorTime }: MachinePorts,
  config: Config,
): readonly Examination[] {
  if (config.vendors.offline) return []
  return [
    {
      name: 'vendors’ clock',
      advice: 'Set the clock and keep it (chrony, systemd-timesyncd): every verdict depends on it.',
      examine: async () => clockText(now(), await reached(vendorTime(config))),
    },
  ]
}

type VendorTime = Awaited<ReturnType<MachinePorts['vendorTime']>>

async function reached(asked: Promise<VendorTime>): Promise<VendorTime | undefined> {
  try {
    return await asked
  } catch {
    return undefined
  }
}

function clockText(now: Date, answer: VendorTime | undefined): string | Warning {
  if (!answer)
    return {
      warning: 'no vendor answers, so nothing compares the clock',
      advice: 'Open the way to AMD KDS and Intel PCS, or set VOUCHSAFE_OFFLINE and import bundles.',
    }
  const aheadMs = now.getTime() - answer.date.getTime()
  const text = `${(Math.abs(aheadMs) / 1000).toFixed(0)} s ${aheadMs > 0 ? 'ahead of' : 'behind'} ${answer.by}`
  if (Math.abs(aheadMs) > WRONG_CLOCK_MS) throw new Error(text)
  // Dates in HTTP have whole seconds, and the answer took a while.
  return Math.abs(aheadMs) > DIFFERING_CLOCK_MS ? { warning: text } : `agrees with ${answer.by}`
}

export function portExaminations(
  { probePort }: MachinePorts,
  { host, port, metrics }: Config,
): readonly Examination[] {
  const places = [
    { name: 'port', host, port },
    ...(metrics ? [{ name: 'metrics port', ...metrics }] : []),
  ]
  return places.map((place) => ({
    name: place.name,
    advice: `Stop what has it, or choose another (${place.name === 'port' ? 'VOUCHSAFE_HOST, VOUCHSAFE_PORT' : 'VOUCHSAFE_METRICS_HOST, VOUCHSAFE_METRICS_PORT'}).`,
    examine: async () => portText(place, await probePort(place.host, place.port)),
  }))
}

function portText(
  { host, port }: { readonly host: string; readonly port: number },
  found: 'free' | 'ours' | 'taken',
): string {
  const place = `${host}:${port}`
  if (found === 'taken') throw new Error(`${place} is taken by another program`)
  return found === 'ours' ? `${place} is taken, by a running vouchsafe` : `${place} is free`
}

/** Settings whose files hold secrets, and those that whoever writes them becomes somebody by. */
const secretFiles =
  /(^|\.)(keyEncryptionKeyFile|previousKeyEncryptionKeyFile|databaseUrlFile|tokenFile|sshKeyFile|webhookSecretFile|opaTokenFile)$/
const trustedFiles = /(^|\.)(operatorsFile|knownHostsFile|authoritiesFile)$/

export function fileExamination(
  { modeOf }: MachinePorts,
  settings: readonly SettingInForce[],
): Examination {
  return {
    name: 'files',
    advice:
      'chmod 600 what is listed (440 where a group must read it): secrets are for the service alone.',
    examine: async () => {
      const open: string[] = []
      let looked = 0
      for (const { name, value } of settings) {
        if (typeof value !== 'string') continue
        const isSecret = secretFiles.test(name)
        if (!isSecret && !trustedFiles.test(name)) continue
        const mode = await modeOf(value)
        if (mode === undefined) continue
        looked += 1
        const bits = `${value} (${name}) has mode ${(mode & 0o777).toString(8)}`
        if ((mode & 0o002) !== 0) throw new Error(`${bits}: everybody on the machine may write it`)
        if (isSecret && (mode & 0o004) !== 0) open.push(`${bits}: everybody may read it`)
        else if ((mode & 0o020) !== 0) open.push(`${bits}: its group may write it`)
      }
      if (open.length > 0) return { warning: open.join('\n') }
      return looked === 0 ? 'none are named' : `${looked} named, none open to others`
    },
  }
}
