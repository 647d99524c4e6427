/** What the verbs of `vouchsafe model` need of the machine. A place is a folder, or `oci://host/repository@sha256:…`. */
import type { Output } from './answering.ts'
import type { AttestRequest } from './attest-request.ts'
import type { Files } from './files.ts'
import type { ModelKeyPut } from './model-key.ts'

export interface ModelDeps extends Output {
  /** Whether `err` leads to a terminal. */
  readonly terminal: boolean
  readonly files: Files
  /**
   * All of these throw Problem('model-unusable', 'registry-unusable'), and ModelRefused for what is not as it must be; `open`
   * throws AgentRefused too.
   */
  readonly seal: (request: SealRequest, told: ModelTold) => Promise<SealedAnswer>
  readonly open: (request: OpenRequest, told: ModelTold) => Promise<OpenedAnswer>
  readonly inspect: (place: StoredModel) => Promise<InspectedModel>
}

export interface ModelStep {
  readonly doing: 'sealing' | 'pushing' | 'opening'
  readonly path: string
  /** Bytes of plaintext, of all files together. */
  readonly done: number
  readonly total: number
}

export type ModelTold = (step: ModelStep) => void

export interface RegistryAccess {
  readonly tokenFile: string | undefined
  readonly dockerConfig: string | undefined
}

export interface StoredModel {
  readonly place: string
  readonly registry: RegistryAccess
}

export interface SealRequest {
  readonly folder: string
  readonly name: string
  readonly version: number
  readonly out: StoredModel
  /** Where it is sealed before it goes to a registry. */
  readonly work: string
  /** Where the key goes: at least one of them. With a file, what was broken off can be gone on with. */
  readonly keyFile: string | undefined
  readonly service:
    | Pick<ModelKeyPut, 'url' | 'tokenFile' | 'tenant' | 'acceptsSimulated'>
    | undefined
  /** PEM, of a private key. */
  readonly signKey: Uint8Array | undefined
  /** Made by others over the same files; `publicKey`: PEM. */
  readonly signed: { readonly bundle: Uint8Array; readonly publicKey: Uint8Array } | undefined
}

export interface ModelAnswer {
  readonly name: string
  readonly version: number
  /** What goes into `models[].digest` of a manifest. */
  readonly digest: string
  readonly files: number
  readonly bytes: number
}

export interface SealedAnswer extends ModelAnswer {
  /** What `open` takes. */
  readonly place: string
  readonly signed: boolean
  readonly keyFile: string | undefined
  /** `model:llama-small`, version 2 */
  readonly resource: { readonly name: string; readonly version: number } | undefined
}

export interface OpenRequest {
  readonly model: StoredModel
  readonly to:
    | { readonly kind: 'folder'; readonly folder: string }
    | { readonly kind: 'stdout'; readonly path: string }
  readonly key:
    | { readonly from: 'file'; readonly file: string }
    | { readonly from: 'service'; readonly request: AttestRequest }
  readonly name: string | undefined
  readonly digest: string | undefined
  readonly minimumVersion: number | undefined
  /** PEM: who must have signed the plaintext. */
  readonly publicKey: Uint8Array | undefined
}

export interface OpenedAnswer extends ModelAnswer {
  readonly to: string
}

export interface InspectedModel extends ModelAnswer {
  readonly list: readonly {
    readonly path: string
    readonly bytes: number
    readonly digest: string
  }[]
  readonly signed: boolean
}
