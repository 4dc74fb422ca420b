# The CPU image: docker build -t facetwin .
# The GPU image: docker build -t facetwin:gpu --build-arg TORCH_INDEX_URL= .   (PyPI's torch includes CUDA)
ARG PYTHON_IMAGE=docker.io/library/python:3.11.13-slim-bookworm@sha256:86adf8dbadc3d6e82ee5dd2c74bec2e1c2467cdad47886280501df722372d2e1

# What the service needs. Only a change of the requirements builds this again, not each edit of the code.
FROM ${PYTHON_IMAGE} AS requirements
ARG TORCH_INDEX_URL=https://download.pytorch.org/whl/cpu
ARG EXTRA=
ENV UV_SYSTEM_CERTS=1 UV_LINK_MODE=copy UV_NO_CACHE=1
WORKDIR /src
COPY pyproject.toml constraints.txt ./
# torch comes first, from its own index; the second install then finds it present. The client is our code: it comes below.
RUN echo facetwin-client >/tmp/ours \
 && python3 -m venv --without-pip /opt/facetwin \
 && python3 -m venv /opt/tools \
 && /opt/tools/bin/pip install --quiet --no-cache-dir --disable-pip-version-check uv==0.13.9 \
 && /opt/tools/bin/uv pip install --quiet --python /opt/facetwin/bin/python --constraint constraints.txt \
      ${TORCH_INDEX_URL:+--index-url ${TORCH_INDEX_URL}} torch torchvision \
 && /opt/tools/bin/uv pip install --quiet --python /opt/facetwin/bin/python --constraint constraints.txt \
      --excludes /tmp/ours ${EXTRA:+--extra ${EXTRA}} --requirements pyproject.toml

FROM requirements AS code
COPY model model
COPY app app
COPY clients/python clients/python
RUN /opt/tools/bin/uv pip install --quiet --python /opt/facetwin/bin/python --no-deps --target /opt/code ./clients/python .

FROM ${PYTHON_IMAGE}
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin facetwin \
 && install -d -o facetwin -g facetwin -m 0700 /data
COPY --from=requirements /opt/facetwin /opt/facetwin
COPY --from=code /opt/code /opt/code
ENV PATH=/opt/code/bin:/opt/facetwin/bin:$PATH \
    PYTHONPATH=/opt/code \
    PYTHONUNBUFFERED=1 \
    FACETWIN_HOST=0.0.0.0 \
    FACETWIN_PORT=8000 \
    FACETWIN_GALLERY_URL=sqlite:////data/gallery.db
USER facetwin
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s CMD ["python3", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"FACETWIN_PORT\"]}/readyz', timeout=4)"]
STOPSIGNAL SIGTERM
CMD ["facetwin", "serve"]
