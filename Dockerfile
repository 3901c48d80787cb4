# syntax=docker/dockerfile:1
# API and workers in one image: `dq serve` by default, `dq worker my.module` for a worker.

FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /opt/distributedq
COPY requirements-server.txt .
RUN /opt/distributedq/bin/pip install --no-cache-dir --require-hashes -r requirements-server.txt
COPY pyproject.toml README.md LICENSE ./
COPY distributed_queue distributed_queue
RUN /opt/distributedq/bin/pip install --no-cache-dir --no-deps . \
    && /opt/distributedq/bin/python -m compileall -q /opt/distributedq/lib \
    && rm -rf /opt/distributedq/lib/python3.13/site-packages/pip*

FROM python:3.13-slim
# A fixed number, so that volumes and Kubernetes' runAsNonRoot can name it.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin distributedq \
    && install -d -o distributedq -g distributedq /data
COPY --from=build /opt/distributedq /opt/distributedq
ENV PATH=/opt/distributedq/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DQ_HOST=0.0.0.0 \
    DQ_PORT=8000 \
    DQ_STORAGE_URL=sqlite:////data/queue.db \
    DQ_LOG_FORMAT=json
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"DQ_PORT\"]}/api/v1/health', timeout=2)"]
ENTRYPOINT ["dq"]
CMD ["serve"]
