# syntax=docker/dockerfile:1
# A static binary on distroless, as nonroot. The image has no PostgreSQL: give it STRAIT_DATABASE_URL (see docker-compose.yml).
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=devel
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X github.com/strait-sts/strait/internal/cli.version=${VERSION}" -o /strait ./cmd/strait \
    && mkdir -p /var/lib/strait/keys /var/lib/strait/data

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /strait /usr/local/bin/strait
COPY --from=build --chown=nonroot:nonroot --chmod=0700 /var/lib/strait /var/lib/strait
ENV STRAIT_KEYS_DIR=/var/lib/strait/keys STRAIT_DATA_DIR=/var/lib/strait/data
USER nonroot
EXPOSE 8080 8081
VOLUME ["/var/lib/strait"]
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["strait", "healthcheck"]
ENTRYPOINT ["strait"]
CMD ["serve"]
