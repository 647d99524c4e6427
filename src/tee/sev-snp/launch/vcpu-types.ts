/**
 * Which CPUID signature does a QEMU vCPU model report? QEMU starts each vCPU with it in RDX, so the model chosen with
 * `-cpu` is measured, whatever processor the machine has. Models from `builtin_x86_defs` in QEMU 10.1,
 * target/i386/cpu.c; a later version of an EPYC model changes features and caches, never the signature.
 */

const models: readonly (readonly [name: string, signature: number, versions: readonly string[]])[] =
  [
    ['EPYC', cpuSignature(23, 1, 2), ['v1', 'v2', 'IBPB', 'v3', 'v4', 'v5']],
    ['EPYC-Rome', cpuSignature(23, 49, 0), ['v1', 'v2', 'v3', 'v4', 'v5']],
    ['EPYC-Milan', cpuSignature(25, 1, 1), ['v1', 'v2', 'v3']],
    ['EPYC-Genoa', cpuSignature(25, 17, 0), ['v1', 'v2']],
    ['EPYC-Turin', cpuSignature(26, 0, 0), ['v1']],
  ]

/** vCPU model, as QEMU's `-cpu` spells it -> CPUID Fn0000_0001_EAX. A map, so that no inherited name is ever found in it. */
export const vcpuTypes: ReadonlyMap<string, number> = new Map(
  models.flatMap(([name, signature, versions]) => [
    [name, signature] as const,
    ...versions.map((version) => [`${name}-${version}`, signature] as const),
  ]),
)

/**
 * Family, model and stepping as CPUID Fn0000_0001_EAX packs them (AMD 25481): what a family has above 15 goes to
 * bits 27:20, the high half of the model to bits 19:16. Every EPYC family is above 15.
 */
function cpuSignature(family: number, model: number, stepping: number): number {
  return ((family - 15) << 20) | ((model >> 4) << 16) | (15 << 8) | ((model & 15) << 4) | stepping
}
