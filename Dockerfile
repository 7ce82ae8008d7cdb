# Forecasts of a trained run in a container, on a CPU: docs/deploy.md.
FROM python:3.11-slim

# Where the CPU build of torch is to come from: pip reads these. The usual build for Linux brings several GB of CUDA.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL

COPY constraints.txt /src/
RUN pip install --no-cache-dir -c /src/constraints.txt torch

COPY . /src
RUN pip install --no-cache-dir -c /src/constraints.txt '/src[models,parquet,excel]' && rm -rf /src

# A number, which Kubernetes can tell from root.
RUN useradd --create-home --uid 10001 ddrsa
USER 10001
WORKDIR /plant
# What is kept between calls lies where every user may write, whoever --user names.
ENV DDRSA_CACHE_DIR=/tmp/ddrsa MPLCONFIGDIR=/tmp/matplotlib NUMBA_CACHE_DIR=/tmp/numba
ENTRYPOINT ["ddrsa"]
