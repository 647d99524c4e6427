/**
 * SNP evidence as the stock client writes it: what the Rust crate sev makes of a report, in the shapes of its releases. As text,
 * since a 64-bit integer is written in full.
 */

export type ReportShape = 'sev 6' | 'sev 5' | 'sev 3'

const view = (report: Uint8Array) => Buffer.from(report.buffer, report.byteOffset, report.length)

export function reportJson(report: Uint8Array, shape: ReportShape = 'sev 6'): string {
  const bytes = view(report)
  const list = (at: number, size: number) => `[${[...bytes.subarray(at, at + size)].join(',')}]`
  const u32 = (at: number) => `${bytes.readUInt32LE(at)}`
  const u64 = (at: number) => `${bytes.readBigUInt64LE(at)}`
  const u8 = (at: number) => `${bytes[at]}`
  const version = bytes.readUInt32LE(0)
  const isTurin = version >= 3 && bytes[0x188] === 0x1a
  const tcb = (at: number) => {
    if (shape === 'sev 3')
      return `{"bootloader":${u8(at)},"tee":${u8(at + 1)},"_reserved":${list(at + 2, 4)},"snp":${u8(at + 6)},"microcode":${u8(at + 7)}}`
    const [fmc, first] = isTurin ? [u8(at), at + 1] : ['null', at]
    const snp = isTurin ? at + 3 : at + 6
    const tail = `"bootloader":${u8(first)},"tee":${u8(first + 1)},"snp":${u8(snp)},"microcode":${u8(at + 7)}}`
    return shape === 'sev 6' ? `{"fmc":${fmc},${tail}` : `{${tail}`
  }
  const firmware = (at: number) => `{"major":${u8(at + 2)},"minor":${u8(at + 1)},"build":${u8(at)}}`
  const old = shape === 'sev 3'
  const members: readonly (readonly [string, string])[] = [
    ['version', u32(0)],
    ['guest_svn', u32(4)],
    ['policy', u64(8)],
    ['family_id', list(0x10, 16)],
    ['image_id', list(0x20, 16)],
    ['vmpl', u32(0x30)],
    ['sig_algo', u32(0x34)],
    ['current_tcb', tcb(0x38)],
    ['plat_info', u64(0x40)],
    [old ? '_author_key_en' : 'key_info', u32(0x48)],
    ...(old ? [['_reserved_0', u32(0x4c)] as const] : []),
    ['report_data', list(0x50, 64)],
    ['measurement', list(0x90, 48)],
    ['host_data', list(0xc0, 32)],
    ['id_key_digest', list(0xe0, 48)],
    ['author_key_digest', list(0x110, 48)],
    ['report_id', list(0x140, 32)],
    ['report_id_ma', list(0x160, 32)],
    ['reported_tcb', tcb(0x180)],
    ...(old
      ? [['_reserved_1', list(0x188, 24)] as const]
      : (['cpuid_fam_id', 'cpuid_mod_id', 'cpuid_step'] as const).map(
          (name, index) => [name, version >= 3 ? u8(0x188 + index) : 'null'] as const,
        )),
    ['chip_id', list(0x1a0, 64)],
    ['committed_tcb', tcb(0x1e0)],
    ...(old
      ? ([
          ['current_build', u8(0x1e8)],
          ['current_minor', u8(0x1e9)],
          ['current_major', u8(0x1ea)],
          ['_reserved_2', u8(0x1eb)],
          ['committed_build', u8(0x1ec)],
          ['committed_minor', u8(0x1ed)],
          ['committed_major', u8(0x1ee)],
          ['_reserved_3', u8(0x1ef)],
        ] as const)
      : ([
          ['current', firmware(0x1e8)],
          ['committed', firmware(0x1ec)],
        ] as const)),
    ['launch_tcb', tcb(0x1f0)],
    ...(shape === 'sev 6'
      ? ([
          ['launch_mit_vector', version >= 5 ? u64(0x1f8) : 'null'],
          ['current_mit_vector', version >= 5 ? u64(0x200) : 'null'],
        ] as const)
      : []),
    ...(old ? [['_reserved_4', list(0x1f8, 168)] as const] : []),
    [
      'signature',
      `{"r":${list(0x2a0, 72)},"s":${list(0x2e8, 72)}${old ? `,"_reserved":${list(0x330, 368)}` : ''}}`,
    ],
  ]
  return `{${members.map(([name, text]) => `"${name}":${text}`).join(',')}}`
}

/** `certificates`: type to DER. */
export function snpJson(
  report: string,
  certificates: readonly (readonly [type: string, der: Uint8Array])[] | undefined,
): string {
  const chain = certificates?.map(
    ([type, der]) => `{"cert_type":${JSON.stringify(type)},"data":[${[...der].join(',')}]}`,
  )
  return `{"attestation_report":${report},"cert_chain":${chain ? `[${chain.join(',')}]` : 'null'}}`
}
