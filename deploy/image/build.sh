#!/usr/bin/env bash
# Builds the image of ../../Dockerfile with buildah and without a container registry: both bases are made here from Debian's
# packages and the Node of node_modules. For CI and for sites that pull from nobody. As root (or in a user namespace), with
# buildah, mmdebstrap and npm.
#   build.sh [NAME]        default localhost/vouchsafe:dev
# The same sources and the same packages make the same image, but for what npm and Debian's mirror hand out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

name=${1:-localhost/vouchsafe:dev}
node=$(readlink -f node_modules/node-linux-*/bin/node | head -n 1)
npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
# The format of Docker: OCI images have no health check.
build() { buildah bud --format docker --isolation chroot --timestamp "$SOURCE_DATE_EPOCH" "$@"; }

echo '== base: libc, libstdc++ and roots of the web, and node; no shell, no package manager'
mmdebstrap --quiet --variant=extract --include=libc6,libstdc++6,libgcc-s1,libatomic1,base-files,netbase,tzdata \
  bookworm "$work/base.tar"
mkdir -p "$work/base/nodejs/bin" "$work/base/etc/ssl/certs"
cp "$node" "$work/base/nodejs/bin/node"
cp /etc/ssl/certs/ca-certificates.crt "$work/base/etc/ssl/certs/"
# ssh asks who it is.
printf '%s\n' 'root:x:0:0:root:/root:/sbin/nologin' 'nonroot:x:65532:65532:nonroot:/var/lib/vouchsafe:/sbin/nologin' \
  > "$work/base/etc/passwd"
tar -C "$work/base" --append --file "$work/base.tar" --owner=0 --group=0 .
printf 'FROM scratch\nADD base.tar /\n' > "$work/Base.Dockerfile"
build --tag localhost/vouchsafe-base --file "$work/Base.Dockerfile" "$work"

echo '== build base: what the first stage of the Dockerfile runs'
mmdebstrap --quiet --variant=minbase --include=git,gpgv,openssh-client,ca-certificates,libatomic1 bookworm "$work/build.tar"
mkdir -p "$work/build/usr/local/bin" "$work/build/usr/local/lib/node_modules"
cp "$node" "$work/build/usr/local/bin/node"
cp -r "$npm" "$work/build/usr/local/lib/node_modules/npm"
# npm brings roots of its own; where packages come through a proxy or a mirror, this machine knows its root.
cp /etc/ssl/certs/ca-certificates.crt "$work/build/roots.crt"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$work/build/usr/local/bin/npm"
tar -C "$work/build" --append --file "$work/build.tar" --owner=0 --group=0 .
printf 'FROM scratch\nADD build.tar /\nENV PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin NODE_EXTRA_CA_CERTS=/roots.crt\n' > "$work/Build.Dockerfile"
build --tag localhost/vouchsafe-build-base --file "$work/Build.Dockerfile" "$work"

echo "== $name"
build --tag "$name" --build-arg BASE=localhost/vouchsafe-base --build-arg BUILD_BASE=localhost/vouchsafe-build-base .
