/**
 * What may stand under `spec.referenceValues`: per TEE, one tuple that evidence must match as a whole. Field names are those
 * of rats/reference-values.ts. What identifies the code (a measurement) is required everywhere: a tuple without it would
 * approve whatever runs on genuine hardware. `reportData` is absent on purpose: the binding sets it.
 */
import { z } from 'zod'
import type {
  SampleReference,
  SgxReference,
  SnpReference,
  TdxReference,
} from '../../rats/reference-values.ts'
import { bareHex, bytes, digest, maskedBytes } from './byte-strings.ts'
import { identifier } from './document-fields.ts'

const whole = (most: number) => z.int().min(0).max(most)
/** An empty list would say "none is allowed", which nobody means; absence says "no expectation". */
const some = <T extends z.ZodType>(item: T) =>
  z.array(item).min(1, 'must not be empty: leave it out').max(4096)

const name = identifier.describe('Unique within the manifest; tokens and findings name it.')
const product = z.enum(['Milan', 'Genoa', 'Turin'])
const component = whole(255).exactOptional()
const bit = z.boolean().exactOptional()

const snp = z.strictObject({
  id: name,
  tee: z.literal('sev-snp'),
  measurement: digest(48).describe(
    'MEASUREMENT: the launch digest. vouchsafe measure snp prints it for an image.',
  ),
  hostData: bytes(32)
    .describe(
      'HOST_DATA: what the host was told at launch, as the digest of a runtime configuration.',
    )
    .exactOptional(),
  familyId: bytes(16).describe('FAMILY_ID of the ID block.').exactOptional(),
  imageId: bytes(16).describe('IMAGE_ID of the ID block.').exactOptional(),
  minimumGuestSvn: whole(0xffff_ffff).describe('Least GUEST_SVN.').exactOptional(),
  idKeyDigests: some(digest(48))
    .describe('Keys of which one must have signed the ID block.')
    .exactOptional(),
  authorKeyDigests: some(digest(48))
    .describe('Keys of which one must have signed the ID key.')
    .exactOptional(),
  vmpl: whole(3)
    .describe('Privilege level at which the report was asked for; 0 when absent.')
    .exactOptional(),
  minimumTcb: z
    .strictObject({
      fmc: component,
      bootloader: component,
      tee: component,
      snp: component,
      microcode: component,
    })
    .describe('Reported, committed and launch TCB must each reach every component that is named.')
    .exactOptional(),
  minimumFirmware: z
    .strictObject({ major: whole(255), minor: whole(255), build: whole(255) })
    .describe('Least committed firmware version.')
    .exactOptional(),
  minimumAbi: z
    .strictObject({ major: whole(255), minor: whole(255) })
    .describe('Least ABI version that the guest policy demands of the firmware.')
    .exactOptional(),
  guestPolicy: z
    .strictObject({
      smt: bit,
      singleSocket: bit,
      cxl: bit,
      aes256Xts: bit,
      raplDisabled: bit,
      ciphertextHiding: bit,
      pageSwapDisabled: bit,
    })
    .describe('Bits of POLICY that must be set (true) or clear (false).')
    .exactOptional(),
  platformInfo: z
    .strictObject({
      smt: bit,
      tsme: bit,
      ecc: bit,
      raplDisabled: bit,
      ciphertextHiding: bit,
      aliasCheck: bit,
      tio: bit,
    })
    .describe('Bits of PLATFORM_INFO that must be set (true) or clear (false).')
    .exactOptional(),
  /** LAUNCH_MIT_VECTOR and CURRENT_MIT_VECTOR, 64 bits, most significant digit first. */
  mitigations: z
    .string()
    .regex(/^0x[0-9a-f]{1,16}$/, 'must be a string such as "0x3": 64 bits in hex')
    .transform(BigInt)
    .describe('Bits that LAUNCH_MIT_VECTOR and CURRENT_MIT_VECTOR must both have, as in "0x3".')
    .exactOptional(),
  chipIds: some(bytes(64)).describe('Machines that may run it; any when absent.').exactOptional(),
  deniedChipIds: some(bytes(64)).describe('Machines that may not.').exactOptional(),
  products: some(product)
    .describe('Processor lines that may run it; any when absent.')
    .exactOptional(),
  deniedProducts: some(product).describe('Processor lines that may not.').exactOptional(),
})

/** `Revoked` and `NotSupported` are missing on purpose: no policy can accept them. */
const tcbStatus = z.enum([
  'UpToDate',
  'SWHardeningNeeded',
  'ConfigurationNeeded',
  'ConfigurationAndSWHardeningNeeded',
  'OutOfDate',
  'OutOfDateConfigurationNeeded',
  'TDRelaunchAdvised',
  'TDRelaunchAdvisedConfigurationNeeded',
])

const dcap = {
  tcbStatuses: some(tcbStatus)
    .describe('TCB statuses that are accepted; only UpToDate when absent. Revoked never is.')
    .exactOptional(),
  minimumTcbEvaluationDataNumber: whole(0xffff_ffff)
    .describe('Least TCB evaluation data number of the collateral.')
    .exactOptional(),
  deniedFmspcs: some(bareHex(6))
    .describe('Platform families (FMSPC) that may not run it.')
    .exactOptional(),
  platforms: some(bytes(16))
    .describe('Machines that may run it, by PPID or platform instance id; any when absent.')
    .exactOptional(),
  deniedPlatforms: some(bytes(16)).describe('Machines that may not.').exactOptional(),
}

const tdx = z.strictObject({
  id: name,
  tee: z.literal('tdx'),
  /** MRTD covers the firmware alone; what it boots is in RTMR 1 and 2, and the machine's shape in RTMR 0. */
  mrTd: digest(48).describe('MRTD: the firmware that the TD was built from.'),
  rtmr0: digest(48).describe('RTMR 0: the shape of the virtual machine.'),
  rtmr1: digest(48).describe('RTMR 1: what the firmware boots.'),
  rtmr2: digest(48).describe('RTMR 2: kernel command line and initial file system.'),
  rtmr3: digest(48).describe('RTMR 3: what runs inside measures here.').exactOptional(),
  mrConfigId: bytes(48)
    .describe(
      'MRCONFIGID: what the host was told at launch, as the digest of a runtime configuration.',
    )
    .exactOptional(),
  mrOwner: bytes(48).describe('MROWNER.').exactOptional(),
  mrOwnerConfig: bytes(48).describe('MROWNERCONFIG.').exactOptional(),
  mrSeam: digest(48).describe('MRSEAM: the TDX module.').exactOptional(),
  tdAttributes: maskedBytes(8).describe('TDATTRIBUTES under a mask.').exactOptional(),
  xfam: maskedBytes(8).describe('XFAM under a mask.').exactOptional(),
  serviceTds: some(bytes(48))
    .describe('Service TDs that may be bound (MRSERVICETD); none when absent.')
    .exactOptional(),
  ...dcap,
})

const sgx = z
  .strictObject({
    id: name,
    tee: z.literal('sgx'),
    mrEnclave: digest(32).describe('MRENCLAVE: the code of the enclave.').exactOptional(),
    mrSigner: digest(32).describe('MRSIGNER: who signed it.').exactOptional(),
    configId: bytes(64)
      .describe(
        'CONFIGID: what the host was told at launch, as the digest of a runtime configuration.',
      )
      .exactOptional(),
    isvProdId: whole(0xffff)
      .describe('ISVPRODID: which of the products of its signer it is.')
      .exactOptional(),
    minimumIsvSvn: whole(0xffff).describe('Least ISVSVN.').exactOptional(),
    attributes: maskedBytes(16).describe('ATTRIBUTES under a mask.').exactOptional(),
    ...dcap,
  })
  .refine(
    ({ mrEnclave, mrSigner, isvProdId, minimumIsvSvn }) =>
      mrEnclave !== undefined ||
      (mrSigner !== undefined && isvProdId !== undefined && minimumIsvSvn !== undefined),
    'must name mrEnclave, or mrSigner together with isvProdId and minimumIsvSvn: a signer alone approves all that it ever signed',
  )

/** Required: nobody should write an entry that expects nothing at all. */
const sample = z
  .strictObject({
    id: name,
    tee: z.literal('sample'),
    svn: z.string().min(1).max(64).describe('What the stock client says: "1".'),
  })
  .describe(
    'Evidence of the Key Broker protocol that nobody signs: whoever sends it passes for this agent. For trying things out; it counts only where VOUCHSAFE_KBS_SAMPLE and simulated evidence are switched on.',
  )

/** Parses to tag, id and the reference itself, whose type the compiler holds against rats/reference-values.ts. */
export const referenceValueSchema = z
  .discriminatedUnion('tee', [snp, tdx, sgx, sample], {
    error: ({ code }) =>
      code === 'invalid_union' ? 'tee must be sev-snp, tdx, sgx or sample' : undefined,
  })
  .transform((entry) => {
    switch (entry.tee) {
      case 'sev-snp': {
        const { id, tee, ...reference } = entry
        return { id, tee, reference: reference satisfies SnpReference }
      }
      case 'tdx': {
        const { id, tee, ...reference } = entry
        return { id, tee, reference: reference satisfies TdxReference }
      }
      case 'sgx': {
        const { id, tee, ...reference } = entry
        return { id, tee, reference: reference satisfies SgxReference }
      }
      case 'sample': {
        const { id, tee, ...reference } = entry
        return { id, tee, reference: reference satisfies SampleReference }
      }
    }
  })
