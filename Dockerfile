# One image for every process of docker-compose.yml; the command says which one it is.

# libvirt-python is compiled here, so that the image itself has no compiler.
FROM debian:bookworm-slim AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-venv python3-dev gcc libc6-dev pkg-config libvirt-dev \
 && rm -rf /var/lib/apt/lists/*
COPY requirements.txt requirements-libvirt.txt ./
RUN python3 -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir -r requirements.txt -r requirements-libvirt.txt

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 libvirt0 openssh-client \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/clustermgr clustermgr \
 && install -d -o clustermgr -g clustermgr -m 0700 /var/lib/clustermgr

COPY --from=build /opt/venv /opt/venv
WORKDIR /opt/clustermgr
COPY manage.py ./
COPY clustermgr clustermgr
RUN /opt/venv/bin/python -m clustermgr.cli.install
COPY templates templates
COPY static static

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CLUSTERMGR_VAR=/var/lib/clustermgr
USER clustermgr
VOLUME /var/lib/clustermgr
EXPOSE 8000 8001
CMD ["python", "manage.py", "check", "--deploy"]
