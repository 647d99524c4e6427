/** Why is a model not opened? What was observed and what was expected, in one sentence; none of it is secret. */

export interface ModelFault {
  /** What it is about: `weights/a.safetensors, chunk 3`. */
  readonly where: string
  readonly observed: string
  readonly expected: string
}

/** Every way in which a sealed model, or the signature of one, is not what it must be. */
export class ModelRefused extends Error {
  override readonly name = 'ModelRefused'
  readonly fault: ModelFault

  constructor(fault: ModelFault, options?: ErrorOptions) {
    super(`${fault.where}: found ${fault.observed}, expected ${fault.expected}`, options)
    this.fault = fault
  }
}
