# syntax=docker/dockerfile:1
# Both bases can be replaced, by digest or by your own: --build-arg BASE=registry.example/node@sha256:...
# BASE needs Node 24 and glibc, nothing else: no shell, no npm. Say where its node is with NODE_DIR.
ARG BUILD_BASE=docker.io/library/node:24-bookworm
ARG BASE=gcr.io/distroless/nodejs24-debian12

FROM ${BUILD_BASE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
# The image brings its own Node (the optional dependency), and no package here needs an install script.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund
COPY . .
# git reads the policy repository; its two libraries are not in a distroless image.
RUN mkdir -p /rootfs/var/lib/vouchsafe \
 && install -D /usr/bin/git /rootfs/usr/bin/git \
 && ldd /usr/bin/git | awk '$1 ~ /^lib(pcre2|z)/ { print $3 }' | while read -r library; do \
      install -D "$library" "/rootfs/usr/lib/$(uname -m)-linux-gnu/$(basename "$library")"; \
    done

FROM ${BASE}
ARG NODE_DIR=/nodejs/bin
ENV PATH=${NODE_DIR}:/usr/bin \
    NODE_ENV=production \
    HOME=/var/lib/vouchsafe \
    VOUCHSAFE_DATA=/var/lib/vouchsafe
COPY --from=build /rootfs/usr/ /usr/
COPY --from=build --chown=65532:65532 /rootfs/var/lib/vouchsafe /var/lib/vouchsafe
COPY --from=build /app /app
WORKDIR /app
# Only the volume is ever written: run with --read-only. Everything under /app belongs to root.
VOLUME ["/var/lib/vouchsafe"]
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:8080/healthz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "/app/src/main.ts"]
CMD ["serve"]
