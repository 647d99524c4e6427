# syntax=docker/dockerfile:1
# Both bases can be replaced, by digest or by your own: --build-arg BASE=registry.example/node@sha256:...
# BASE needs Node 24 and glibc, nothing else. Say where its node is with NODE_DIR.
ARG BUILD_BASE=docker.io/library/node:24-bookworm
ARG BASE=gcr.io/distroless/nodejs24-debian12

FROM ${BUILD_BASE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
# The image brings its own Node (the optional dependency), and no package here needs an install script.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund
COPY . .
# git fetches policy repositories, over ssh too, and gpgv checks OpenPGP signatures. dash is there for git alone, which runs
# under limits of memory and time that a shell sets (adapters/git-process.ts); without coreutils it can do little else.
RUN set -eu; mkdir -p /rootfs/bin /rootfs/var/lib/vouchsafe; \
    triplet="$(uname -m)-linux-gnu"; \
    programs="/usr/bin/git /usr/lib/git-core/git-remote-http /usr/bin/ssh /usr/bin/gpgv /bin/dash"; \
    for program in $programs; do install -D "$program" "/rootfs$program"; done; \
    mv /rootfs/bin/dash /rootfs/bin/sh; \
    ln -s git-remote-http /rootfs/usr/lib/git-core/git-remote-https; \
    ln -s git /rootfs/usr/bin/git-upload-pack; \
    ldd $programs | awk '$3 ~ /^\// { print $3 }' | sort -u \
      | grep -vE '/(libc|libm|libdl|librt|libpthread|libresolv)\.so' \
      | while read -r library; do \
          install -D "$library" "/rootfs/usr/lib/$triplet/$(basename "$library")"; \
        done

FROM ${BASE}
ARG NODE_DIR=/nodejs/bin
ENV PATH=${NODE_DIR}:/usr/bin \
    NODE_ENV=production \
    HOME=/var/lib/vouchsafe \
    VOUCHSAFE_DATA=/var/lib/vouchsafe
COPY --from=build /rootfs/usr/ /usr/
COPY --from=build /rootfs/bin/sh /bin/sh
COPY --from=build --chown=65532:65532 /rootfs/var/lib/vouchsafe /var/lib/vouchsafe
COPY --from=build /app /app
WORKDIR /app
LABEL org.opencontainers.image.title="vouchsafe" \
      org.opencontainers.image.description="Remote-attestation verifier for AI agents in confidential VMs" \
      org.opencontainers.image.licenses="Apache-2.0"
# Only the volume is ever written: run with --read-only. Everything under /app belongs to root.
VOLUME ["/var/lib/vouchsafe"]
USER 65532:65532
EXPOSE 8080 9464
# Not by a shell: node asks. It knows the port from the variable, or else the usual one; turn it off where a file names another.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.VOUCHSAFE_PORT || 8080}/healthz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# For two cores, what one replica can use: signatures are verified by two threads, and one clears up behind the main thread. With
# Node's four each they are more than there are cores, and whoever waits for the main thread waits for them too.
ENV UV_THREADPOOL_SIZE=2
# Room for what one request makes and drops: with less, what a few hundred of them make at once lives on and is collected dearly. And
# room for three times what is kept before all of it is looked through: V8 would leave some per cent, and do so every second under load.
ENTRYPOINT ["node", "--max-semi-space-size=64", "--heap-growing-percent=200", "--v8-pool-size=1", "/app/src/main.ts"]
CMD ["serve"]
