#!/usr/bin/env bash
# Builds the sensor's loader, with the kernel programs inside. Prints the path of the executable; builds nothing twice.
# Needs clang, bpftool, a C compiler, libbpf-dev, libelf-dev and zlib1g-dev (Debian's names), and a kernel that shows its types.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
types=${VMLINUX_BTF:-/sys/kernel/btf/vmlinux}

fail() {
  echo "sensor: $1" >&2
  exit 1
}

for tool in clang bpftool cc; do
  command -v "$tool" >/dev/null || PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null ||
    fail "there is no $tool: apt-get install clang bpftool gcc libbpf-dev libelf-dev zlib1g-dev"
done
[[ -r $types ]] || fail "$types cannot be read: this kernel was built without CONFIG_DEBUG_INFO_BTF"
PATH=$PATH:/usr/sbin:/sbin

case $(uname -m) in
  x86_64) arch=x86 ;;
  aarch64) arch=arm64 ;;
  *) fail "there is no sensor for $(uname -m): x86_64 and aarch64 only" ;;
esac

sources=$(cat "$here"/*.c "$here"/*.h "$here"/build.sh | sha256sum | cut -c1-16)
out=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/vouchsafe/sensor-$sources}
if [[ -x $out/sensor ]]; then
  echo "$out/sensor"
  exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bpftool btf dump file "$types" format c >"$work/vmlinux.h"
clang -target bpf -mcpu=v3 -g -O2 -Wall -Werror -D__TARGET_ARCH_$arch -I"$work" \
  -c "$here/sensor.bpf.c" -o "$work/sensor.bpf.o"
bpftool gen skeleton "$work/sensor.bpf.o" name sensor_bpf >"$work/sensor.skel.h"
# `#define __NR_read 0` becomes `[0] = "read",`
echo '#include <sys/syscall.h>' | cc -E -dM - |
  sed -n 's/^#define __NR_\([a-z_0-9]*\) \([0-9]\+\)$/[\2] = "\1",/p' >"$work/call-names.h"
cc -O2 -g -Wall -Wextra -Wno-unused-parameter -Werror -D_GNU_SOURCE -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE -pie \
  -I"$work" "$here"/{sensor,settings,calls,follow,hooks,lines,sums}.c -o "$work/sensor" -lbpf -lelf -lz
mkdir -p "$out"
# Whole or not at all: two builds may run at once.
mv "$work/sensor" "$out/sensor.$$"
mv "$out/sensor.$$" "$out/sensor"
echo "$out/sensor"
