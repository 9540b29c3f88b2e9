# Foreman in a container. How to run it: compose.yaml, docs/install.md.
#
#   docker build --tag foreman .

FROM python:3.13-slim-trixie AS build
WORKDIR /opt/foreman
COPY requirements/all.txt ./requirements/
RUN python -m venv --without-pip .venv \
    && python -m pip --python .venv/bin/python install --no-cache-dir --disable-pip-version-check \
        --only-binary :all: --require-hashes -r requirements/all.txt

FROM python:3.13-slim-trixie
RUN groupadd --gid 10001 foreman \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin foreman \
    && install --directory --owner 10001 --group 10001 --mode 0700 /data
WORKDIR /opt/foreman
COPY --from=build /opt/foreman/.venv ./.venv
COPY LICENSE app.py pyproject.toml schema.sql ./
COPY foreman ./foreman
RUN .venv/bin/python -m compileall -q foreman
ENV PATH=/opt/foreman/.venv/bin:$PATH \
    FOREMAN_HOST=0.0.0.0 \
    FOREMAN_PORT=3000 \
    FOREMAN_DATABASE=/data/foreman.db
USER 10001:10001
VOLUME /data
EXPOSE 3000
STOPSIGNAL SIGTERM
# With http.client, because urllib would ask a proxy that HTTP_PROXY names.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import http.client, os; c = http.client.HTTPConnection('127.0.0.1', int(os.environ['FOREMAN_PORT']), timeout=4); c.request('GET', '/health'); raise SystemExit(c.getresponse().status != 200)"]
ENTRYPOINT ["python", "app.py"]
CMD ["serve"]
