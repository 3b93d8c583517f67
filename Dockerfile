# The sync as a daemon: every 30 minutes, runs that are not in the spreadsheet yet are appended.
#
#   docker build -t wandb_spreadsheet_sync .
#   docker run -d --name wandb_spreadsheet_sync -e WANDB_API_KEY \
#       -v "$PWD/config:/config:ro" -v runsheet-data:/data wandb_spreadsheet_sync
#
# Flags go behind the image's name, such as `--once` or `--user_name NAME`.
#   /config  config.json and, beside it, the Google key that it names; also netrc, W&B's login, if there is one
#   /data    the working directory: log, workbook, run folders, backups; user 10001 has to be able to write to it
FROM python:3.12-slim AS build

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
RUN python -m venv /opt/runsheet
COPY requirements.txt /build/
RUN /opt/runsheet/bin/pip install --no-compile --no-deps -r /build/requirements.txt \
    && /opt/runsheet/bin/pip check
COPY pyproject.toml LICENSE /build/
COPY runsheet /build/runsheet
RUN /opt/runsheet/bin/pip install --no-compile --no-deps /build \
    && /opt/runsheet/bin/pip uninstall --yes pip \
    && python -m compileall -q /opt/runsheet/lib


FROM python:3.12-slim

RUN groupadd --gid 10001 runsheet \
    && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin runsheet \
    && install -d -o 10001 -g 10001 /data \
    && install -d /config \
    # An empty configuration is enough for `--source folders --destination xlsx`; a mount hides it.
    && echo '{}' > /config/config.json
COPY --from=build /opt/runsheet /opt/runsheet
COPY wandb_spreadsheet_sync.py /opt/runsheet/

ENV PATH=/opt/runsheet/bin:$PATH \
    HOME=/data \
    NETRC=/config/netrc \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    RUNSHEET_CONFIG=/config/config.json \
    RUNSHEET_BACKUP_DIR=/data/backups \
    RUNSHEET_HEALTH_FILE=/tmp/runsheet-health.json \
    WANDB_ERROR_REPORTING=false

USER 10001:10001
WORKDIR /data
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=1m --timeout=20s --start-period=15m --retries=3 CMD ["runsheet", "health"]
# No shell in between: the daemon is process 1 and gets the stop signal itself.
ENTRYPOINT ["python", "/opt/runsheet/wandb_spreadsheet_sync.py"]
# Flags given to `docker run` take the place of these.
CMD ["--schedule_time", "30"]
