# Hindcast's own image: the four processors and the command line. Built by `docker compose build`.
FROM python:3.11.13-slim-bookworm AS build
WORKDIR /build
RUN python -m venv /opt/hindcast && /opt/hindcast/bin/pip install --no-cache-dir --upgrade pip
COPY . .
RUN /opt/hindcast/bin/pip install --no-cache-dir '.[processors]'

FROM python:3.11.13-slim-bookworm
LABEL org.opencontainers.image.title="hindcast" \
      org.opencontainers.image.description="An event-streaming prediction logger" \
      org.opencontainers.image.licenses="Apache-2.0"
# A fixed number, so that an orchestrator can see that it is not root.
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent hindcast \
    && install -d -o hindcast -g hindcast /var/lib/hindcast
COPY --from=build /opt/hindcast /opt/hindcast
ENV PATH=/opt/hindcast/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HINDCAST_STATUS_DIR=/var/lib/hindcast/status
WORKDIR /var/lib/hindcast
USER 10001:10001
ENTRYPOINT ["python", "-m"]
CMD ["hindcast", "--help"]
