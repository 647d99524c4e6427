/**
 * `vouchsafe dev`, which is what `npm start` runs: a whole service with a policy repository and simulated hardware, one
 * agent that gets a token, the same agent tampered with and refused, both over HTTP; then it serves on.
 */
import { problemTypes } from '../problems.ts'
import { answering, type Output, REFUSED, YES } from './answering.ts'
import { parseArguments } from './arguments.ts'
import { demonstrationText, readyText } from './dev-report.ts'
import {
  type DevWatched,
  demonstrateWatched,
  type WatchedDemonstrated,
  watchedText,
} from './dev-watched.ts'
import { coloured, plain } from './text.ts'

export interface DevDeps extends Output {
  readonly colour: boolean
  readonly start: (request: DevRequest) => Promise<DevService>
  /** Resolves to the name of the signal that asks the program to end. */
  readonly stopped: () => Promise<string>
}

export interface DevRequest {
  /** Tells what takes its time. */
  readonly say: (sentence: string) => void
  /** Speak the Key Broker protocol as well, and take its sample evidence. */
  readonly keyBroker: boolean
}

export interface DevService {
  readonly url: string
  /** Issuer of tokens for simulated evidence. */
  readonly issuer: string
  readonly directory: string
  /** Holds the token of an operator of this service. */
  readonly operatorTokenFile: string
  /** Of one who decides on secrets. */
  readonly secretAdminTokenFile: string
  /** What `verify --issuer` needs to look at this very service. */
  readonly self: {
    /** Folder of the simulated vendor's roots. */
    readonly simulatedRoots: string
    /** By which another program attests on the same simulated machine. */
    readonly machineFile: string
    /** Of this program on its simulated machine, in hex. */
    readonly measurement: string
  }
  readonly policy: {
    readonly repository: string
    /** Folder of the private keys of its signers. */
    readonly keys: string
    /** Trust digest that the service was started with. */
    readonly pin: string
    readonly commit: string
  }
  readonly agents: readonly DevAgent[]
  /** One of them once more, in a session. */
  readonly watched: DevWatched
  /** Where stock clients find a secret, and what it is, in base64; undefined: they are not answered. */
  readonly keyBroker: { readonly path: string; readonly secret: string } | undefined
  readonly close: () => Promise<void>
}

interface DevAgent {
  readonly name: string
  readonly title: string
  readonly isApproved: boolean
  readonly folder: string
  readonly attest: () => Promise<DevAnswer>
}

interface DevAnswer {
  readonly status: number
  readonly document: Readonly<Record<string, unknown>>
  /** Opened by the agent; none where it was refused. */
  readonly tokens: readonly { readonly token: string }[]
}

export interface Demonstrated {
  readonly agent: DevAgent
  readonly answer: DevAnswer
  /** The approved one got a token, or the other was refused for its evidence. */
  readonly asExpected: boolean
}

const options = {
  once: { type: 'boolean' },
  kbs: { type: 'boolean' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

const help = `vouchsafe dev: try it without hardware, accounts or network

  --once                 show it and exit: 0 when one agent got a token, the tampered one was refused, and the one
                         that was tampered with while it ran was stopped; else 2
  --kbs                  also answer stock Key Broker clients (kbs-client), by evidence that nobody signs; prints what to run
  --json                 print the demonstration as one object
  --help

Makes a simulated machine, a signed policy repository and a database below .vouchsafe/dev, serves on a loopback port, and lets
one approved and one tampered agent attest, and tampers with one that runs. Everything but the root of trust is what production runs. Repository and database
are kept from one start to the next; delete the folder to begin anew. Ctrl-C stops it.
`

/** `args` is what follows `dev`. Resolves to the exit code; never rejects. */
export async function devCommand(args: readonly string[], deps: DevDeps): Promise<number> {
  return await answering('dev', args, deps, async () => {
    const { values } = parseArguments('dev', args, options)
    if (values.help) {
      deps.out(help)
      return YES
    }
    const { once = false, json = false, kbs: keyBroker = false } = values
    const say = (sentence: string) => deps.err(`${sentence}\n`)
    const service = await deps.start({ say, keyBroker })
    try {
      const shown = await demonstrate(service)
      const paint = deps.colour ? coloured : plain
      if (!json) deps.out(demonstrationText(service, shown, paint))
      const watched = await demonstrateWatched(service.watched)
      deps.out(
        json
          ? `${JSON.stringify(demonstrationJson(service, shown, watched))}\n`
          : watchedText(service, watched, paint),
      )
      const code = [...shown, watched].every(({ asExpected }) => asExpected) ? YES : REFUSED
      if (once) return code
      if (!json) deps.out(readyText(service))
      deps.err(`${await deps.stopped()}: stopping\n`)
      return code
    } finally {
      await service.close()
    }
  })
}

async function demonstrate({ agents }: DevService): Promise<readonly Demonstrated[]> {
  const shown: Demonstrated[] = []
  for (const agent of agents) {
    const answer = await agent.attest()
    shown.push({ agent, answer, asExpected: isExpected(agent, answer) })
  }
  return shown
}

function isExpected({ isApproved }: DevAgent, { status, document, tokens }: DevAnswer): boolean {
  return isApproved
    ? status === 200 && tokens.length > 0
    : status === problemTypes['evidence-rejected'].status &&
        document.code === 'evidence-rejected' &&
        tokens.length === 0
}

function demonstrationJson(
  { url, issuer, directory, policy }: DevService,
  shown: readonly Demonstrated[],
  { shown: watched, leftOut, asExpected }: WatchedDemonstrated,
) {
  return {
    simulated: true,
    url,
    issuer,
    directory,
    policy,
    agents: shown.map(({ agent, answer, asExpected }) => ({
      name: agent.name,
      title: agent.title,
      folder: agent.folder,
      asExpected,
      ...answer,
    })),
    watched: { asExpected, ...(watched ?? { verdict: 'left out', detail: leftOut }) },
  }
}
