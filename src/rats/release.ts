/** What an AgentRelease manifest says once it has been read: which evidence is an agent's, and what that agent may be given. */
import type { Waivers } from './check.ts'
import type {
  SampleReference,
  SgxReference,
  SnpReference,
  TdxReference,
} from './reference-values.ts'
import type { MeasurementKind } from './runtime-event.ts'
import type { Watch } from './transcript.ts'

export interface AgentRelease {
  readonly environment: string
  readonly agent: string
  readonly version: string
  /** Rises with every release of this agent in this environment. */
  readonly generation: number
  readonly notBefore: Date
  readonly notAfter: Date
  /** Evidence matches one of them as a whole; fields of different entries never mix. */
  readonly referenceValues: readonly ReferenceValue[]
  readonly waivers: Waivers
  readonly rules: readonly ReleaseRule[]
  readonly artifacts: readonly Artifact[]
  readonly models: readonly Model[]
  readonly runtime: RuntimeLimits | undefined
  /** The file that names image and models to the machine that launches the agent; its digest can be bound by the hardware. */
  readonly runtimeConfig: RuntimeConfig | undefined
  readonly manifest: ManifestSource
}

/** `tee` is a TEE descriptor's name, and `reference` what that TEE's checks compare with. */
export type ReferenceValue = {
  readonly id: string
  /** Line of the manifest on which the entry begins, from 1. */
  readonly line: number
  /** Lines of its fields that are written: `hostData`, and one level deeper `minimumTcb.snp`. */
  readonly lines: Readonly<Record<string, number>>
} & (
  | { readonly tee: 'sev-snp'; readonly reference: SnpReference }
  | { readonly tee: 'tdx'; readonly reference: TdxReference }
  | { readonly tee: 'sgx'; readonly reference: SgxReference }
  | { readonly tee: 'sample'; readonly reference: SampleReference }
)

/**
 * What a token is good for: `possession` (P, with a proof of the attested key, the only one that releases secrets),
 * `federation` (F, a bearer token for clouds and gateways), `workload` (a WIT-SVID, which has no audience of its own).
 */
export type TokenForm = 'possession' | 'federation' | 'workload'

export interface ReleaseRule {
  /** Names the rule in requests; for `workload` it is no claim of the token. */
  readonly audience: string
  readonly form: TokenForm
  readonly tokenTtlSeconds: number
  /** `secret:db-ro`, `model:llama-small`: what a token for this audience may be exchanged for. */
  readonly scopes: readonly string[]
}

/** What the agent is made of beside its launch measurement. */
export interface Artifact {
  readonly name: string
  readonly kind: 'image' | 'provenance' | 'sbom' | 'vex' | 'libraries' | 'plugin' | 'configuration'
  /** `sha256:<hex>` */
  readonly digest: string
  /** Where it is found, for people: `registry.example/agents/invoice`. Never a tag's promise. */
  readonly reference: string | undefined
}

export interface Model {
  readonly name: string
  /** Rises; an older one is refused. */
  readonly version: number
  /** `sha256:<hex>`: root of its OpenSSF Model Signing manifest. */
  readonly digest: string
}

export interface RuntimeLimits {
  /** Tokens only inside of a session: nobody watches what was attested alone. */
  readonly isSessionRequired: boolean
  readonly attestEverySeconds: number | undefined
  readonly heartbeatSeconds: number
  /** What may be loaded, besides `models` and the artifacts that are plugins or configurations: these, and what the lists name. */
  readonly measurements: readonly ApprovedMeasurement[]
  readonly lists: readonly MeasurementList[]
  readonly state: readonly ApprovedState[]
  /** What must be watched. */
  readonly watch: readonly Watch[]
  /** `sha256:<hex>` each; with none, no session opens. */
  readonly collectors: readonly string[]
  /** Events that may be lost since the sensor started. */
  readonly mostDropped: number
  /** Sensitive system calls that the agent may make. */
  readonly sensitiveCalls: readonly string[]
  /** Per process, beyond what the collector knows its runtime to make. */
  readonly anonymousTextKiB: number
  /** Everything that may be reached: an empty list is nothing at all. */
  readonly egress: readonly { readonly host: string; readonly ports: readonly number[] }[]
  readonly budget: {
    readonly tokensPerMinute?: number
    readonly usdPerDay?: number
    readonly cpuMillis?: number
    readonly memoryMiB?: number
  }
}

export interface ApprovedMeasurement {
  readonly kind: MeasurementKind
  /** Undefined: wherever it lies. */
  readonly path: string | undefined
  /** `sha256:<hex>` */
  readonly digest: string
}

/** A file of the policy repository whose name is its digest: read once, and shared by all releases that name it. */
export interface MeasurementList {
  /** `measurements/<hex>.list` */
  readonly file: string
  /** SHA-256 of its bytes, hex. */
  readonly sha256: string
  /** As they are written: `<kind> <sha256 in hex>  <path>`. */
  readonly lines: ReadonlySet<string>
  /** Of its executables. */
  readonly programs: ReadonlySet<string>
}

/** What the agent changes itself. */
export interface ApprovedState {
  /** Exact, or everything below a folder where it ends in `/**`. */
  readonly path: string
  /** `sha256:<hex>` each; `any`: whatever it becomes is approved, because of `reason`. */
  readonly digests: readonly string[] | 'any'
  readonly reason: string | undefined
}

export interface RuntimeConfig {
  readonly path: string
  /** All hex, over the file's bytes: HOST_DATA holds the first, MRCONFIGID the second, SGX CONFIGID the third. */
  readonly sha256: string
  readonly sha384: string
  readonly sha512: string
  /** Digests (`sha256:<hex>`) that its text names. */
  readonly names: ReadonlySet<string>
}

/** How far the hardware's word reaches: what it measured, what it names through a bound configuration, what the agent only says. */
export interface Layer {
  /** `launch`, `runtime-config`, `artifact:<name>`, `model:<name>` */
  readonly subject: string
  readonly digest: string
  readonly bound: 'hardware' | 'claimed'
  /** The field of the evidence through which it is bound: `measurement`, `mrTd`, `hostData`, `mrConfigId`; undefined for claims. */
  readonly through: string | undefined
}

interface ManifestSource {
  /** From the root of the policy repository. */
  readonly file: string
  /** SHA-256 of the file's bytes, hex. */
  readonly sha256: string
}
