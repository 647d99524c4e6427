/**
 * What may a plugin be given, and which imports does each thing give? A module may import nothing else. The one host interface
 * is WASI preview 1 (wasi_snapshot_preview1), so that ordinary compilers make plugins; without a grant there is no import at
 * all, and a plugin computes from its input alone.
 */

/** Absent: not given. */
export interface Grants {
  /**
   * What the start-up code of a WASI program needs: standard streams, its end, and empty lists of arguments, variables and
   * files. Every other name of preview 1 may be imported too and answers ENOSYS or EBADF.
   */
  readonly wasi?: true
  /** After the program’s name, which is always `plugin`. */
  readonly arguments?: readonly string[]
  /** All of the environment, and not names into anybody’s own. */
  readonly environment?: Readonly<Record<string, string>>
  /** Rounded down to this. A fine clock measures what other programs do on the same processor. */
  readonly clock?: { readonly resolutionMs: number }
  readonly random?: true
  /** Relative path to content, under the preopened directory `/`; read-only, and no file of the machine. */
  readonly files?: Readonly<Record<string, Uint8Array>>
}

export const capabilities = [
  'wasi',
  'arguments',
  'environment',
  'clock',
  'random',
  'files',
] as const satisfies readonly (keyof Grants)[]
export type Capability = (typeof capabilities)[number]

export const WASI_MODULE = 'wasi_snapshot_preview1'

export interface HostFunction {
  readonly type: string
  readonly needs: Capability
}

/**
 * Types as in https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md, lowered to core values. Arguments and
 * environment need only `wasi`: without their grant they are empty lists.
 */
const given: Readonly<Record<Capability, Readonly<Record<string, string>>>> = {
  wasi: {
    args_get: 'ii>i',
    args_sizes_get: 'ii>i',
    environ_get: 'ii>i',
    environ_sizes_get: 'ii>i',
    fd_close: 'i>i',
    fd_fdstat_get: 'ii>i',
    fd_prestat_dir_name: 'iii>i',
    fd_prestat_get: 'ii>i',
    fd_read: 'iiii>i',
    fd_seek: 'iIii>i',
    fd_write: 'iiii>i',
    proc_exit: 'i>',
    sched_yield: '>i',
    // ENOSYS, all of them.
    fd_advise: 'iIIi>i',
    fd_allocate: 'iII>i',
    fd_datasync: 'i>i',
    fd_fdstat_set_flags: 'ii>i',
    fd_fdstat_set_rights: 'iII>i',
    fd_filestat_set_size: 'iI>i',
    fd_filestat_set_times: 'iIIi>i',
    fd_pwrite: 'iiiIi>i',
    fd_readdir: 'iiiIi>i',
    fd_renumber: 'ii>i',
    fd_sync: 'i>i',
    path_create_directory: 'iii>i',
    path_filestat_set_times: 'iiiiIIi>i',
    path_link: 'iiiiiii>i',
    path_readlink: 'iiiiii>i',
    path_remove_directory: 'iii>i',
    path_rename: 'iiiiii>i',
    path_symlink: 'iiiii>i',
    path_unlink_file: 'iii>i',
    poll_oneoff: 'iiii>i',
    proc_raise: 'i>i',
    sock_accept: 'iii>i',
    sock_recv: 'iiiiii>i',
    sock_send: 'iiiii>i',
    sock_shutdown: 'ii>i',
  },
  arguments: {},
  environment: {},
  clock: { clock_res_get: 'ii>i', clock_time_get: 'iIi>i' },
  random: { random_get: 'ii>i' },
  files: {
    fd_filestat_get: 'ii>i',
    fd_pread: 'iiiIi>i',
    fd_tell: 'ii>i',
    path_filestat_get: 'iiiii>i',
    path_open: 'iiiiiIIii>i',
  },
}

export const hostFunctions: ReadonlyMap<string, HostFunction> = new Map(
  capabilities.flatMap((needs) =>
    Object.entries(given[needs]).map(([name, type]) => [name, { type, needs }] as const),
  ),
)
