/**
 * Who is at the other end of a Unix socket? The kernel noted it when the connection was made (unix(7), SO_PEERCRED), and Node has no
 * word for the question: a process of a few milliseconds is handed the connection and asks. It is Perl, which is part of
 * every Debian (perl-base), with nothing of our environment; whatever it does not answer is no peer.
 */
import { spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'

/** Of the process that connected, at the moment at which it did. It may have passed the connection on since. */
export interface Peer {
  readonly pid: number
  readonly uid: number
  readonly gid: number
  /** Asked for only where it is judged. */
  readonly process: PeerProcess | undefined
}

export interface PeerProcess {
  /** Path of what it runs, as this process sees it; ` (deleted)` at its end where the file is gone. */
  readonly executable: string
  /** Paths of its control groups, one for each hierarchy. */
  readonly cgroups: readonly string[]
}

export interface AskPeer {
  /** Default: /usr/bin/perl. */
  readonly perl?: string
  /** `process`: its executable and control groups besides, which needs Linux 6.5. */
  readonly ask: 'user' | 'process'
}

const PERL = '/usr/bin/perl'
const TIMEOUT_MS = 2_000
const LONGEST = 16 * 1024

/**
 * The connection is descriptor 3: libuv makes the first three blocking, and they share that with ours. Numbers are Linux's on
 * x86 and ARM: SOL_SOCKET 1, SO_PEERCRED 17, SO_PEERPIDFD 77. The descriptor of the process says in the end whether it
 * still lives: until then its number cannot have become somebody else's.
 */
const SCRIPT = `use strict; use warnings FATAL => 'all';
open(my $peer, '+<&=', 3) or exit 1;
my $credentials = getsockopt($peer, 1, 17);
defined $credentials && length $credentials == 12 or exit 1;
my ($pid, $uid, $gid) = unpack('iII', $credentials);
my ($executable, $groups) = ('', '');
if ($ARGV[0] eq 'process') {
  my $held = getsockopt($peer, 1, 77);
  defined $held && length $held == 4 or exit 1;
  my $descriptor = unpack('i', $held);
  local $/;
  $executable = readlink("/proc/$pid/exe");
  defined $executable or exit 1;
  open(my $file, '<', "/proc/$pid/cgroup") or exit 1;
  $groups = <$file>;
  open(my $alive, '<', "/proc/self/fdinfo/$descriptor") or exit 1;
  <$alive> =~ /^Pid:\\s+$pid$/m or exit 1;
}
print join("\\0", $pid, $uid, $gid, $executable, $groups, 'whole');`

/** `socket`: just accepted, and not read from. Undefined: nobody can tell, and nothing may be answered. Never rejects. */
export async function peerOf(
  socket: Socket,
  { perl = PERL, ask }: AskPeer,
): Promise<Peer | undefined> {
  const child = spawn(perl, ['-e', SCRIPT, ask], {
    // PERL5OPT and the like would run what somebody else wrote.
    env: {},
    stdio: ['ignore', 'pipe', 'ignore', socket],
    timeout: TIMEOUT_MS,
    killSignal: 'SIGKILL',
  })
  const ended = new Promise<number | null>((resolve) => {
    child.on('error', () => resolve(null))
    child.on('close', (code) => resolve(code))
  })
  // Once it ended, its copy of the connection is gone: only we hold it then.
  const [text, code] = await Promise.all([boundedText(child.stdout), ended])
  return code === 0 ? peerIn(text) : undefined
}

async function boundedText(stream: Readable | null): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of stream ?? []) {
      size += chunk.length
      if (size > LONGEST) return ''
      chunks.push(chunk)
    }
  } catch {
    return ''
  }
  return Buffer.concat(chunks).toString('utf8')
}

function peerIn(text: string): Peer | undefined {
  const [pid = '', uid = '', gid = '', executable = '', groups = '', whole, ...more] =
    text.split('\0')
  const numbers = [pid, uid, gid]
  if (whole !== 'whole' || more.length > 0 || numbers.some((each) => !/^\d{1,10}$/.test(each)))
    return undefined
  // 0: it is in another namespace, and cannot be named.
  if (Number(pid) === 0) return undefined
  return {
    ...{ pid: Number(pid), uid: Number(uid), gid: Number(gid) },
    process: executable === '' ? undefined : { executable, cgroups: cgroupsIn(groups) },
  }
}

/** cgroups(7): `hierarchy:controllers:path`, a line each. */
function cgroupsIn(text: string): readonly string[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(':').slice(2).join(':'))
}
