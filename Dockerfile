# The program and what its runs need: git, a shell, certificates. Runs as a user of its own; everything that is kept lies
# in /data. Build: docker build -t spalla .

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --locked --release -p spalla && cp target/release/spalla /spalla

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates git \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --home-dir /data --shell /usr/sbin/nologin spalla \
    && install -d -m 700 -o spalla -g spalla /data
COPY --from=build /spalla /usr/local/bin/spalla
USER spalla
ENV SPALLA_DATA=/data
WORKDIR /data
VOLUME /data
EXPOSE 18080
ENTRYPOINT ["spalla"]
CMD ["serve"]
