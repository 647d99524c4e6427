/** Evidence as it arrives: the hardware's own bytes and what travels beside them. Nothing here is believed yet. */
export interface Evidence {
  /** The SNP attestation report, or the DCAP quote (TSM: `outblob`). */
  readonly quote: Uint8Array
  /** What the host passed along with it (TSM: `auxblob`): for SNP the GHCB certificate table. */
  readonly auxblob?: Uint8Array
  /** A CC event log that claims to explain the runtime measurement registers (CCEL). */
  readonly eventLog?: Uint8Array
}
