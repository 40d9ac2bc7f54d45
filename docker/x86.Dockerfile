# edgecl on a T4, or any other NVIDIA GPU in an x86-64 machine. No torch: train and export elsewhere.
#
#   docker build -f docker/x86.Dockerfile --build-arg REGISTRY=HOST -t edgecl .
#   docker run --rm --gpus all -v "$PWD:/data" -v edgecl-engines:/var/cache/edgecl \
#       edgecl run --model NAME.edgecl --camera frames/
#
# The engine is built by the first run, and kept in the bundle or, where that is mounted read-only,
# in the volume. A camera goes in with --device /dev/video0 --group-add video.
#
# This file is not built by the tests. The tag is one that public projects use, with TensorRT 10.13,
# CUDA 13 and Python 3.12; the registry itself was not asked. Any tag of NVIDIA's TensorRT image
# with TensorRT 10.3 or newer and Python 3.11 or newer, for constraints.txt, will do; take one that the driver supports:
#   docker build --build-arg REGISTRY=HOST --build-arg BASE=HOST/nvidia/tensorrt:TAG …
# REGISTRY is the host of NVIDIA's container registry, as its catalogue's pull command shows it.
ARG REGISTRY
ARG BASE=${REGISTRY}/nvidia/tensorrt:25.08-py3

# pycuda comes as source and needs a compiler and CUDA's headers; the image that runs does not.
FROM ${BASE} AS wheels
RUN apt-get update \
    && apt-get install -y --no-install-recommends g++ python3-dev python3-pip \
    && rm -rf /var/lib/apt/lists/*
ENV PATH=/usr/local/cuda/bin:${PATH}
RUN python3 -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheels 'pycuda>=2024.1'

FROM ${BASE}
# OpenCV loads libGL and glib.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 python3-venv \
    && rm -rf /var/lib/apt/lists/*
COPY --from=wheels /wheels /wheels
COPY pyproject.toml constraints.txt README.md LICENSE /source/
COPY edgecl /source/edgecl
COPY export /source/export
COPY calibration /source/calibration
COPY runtime /source/runtime
# The image's own TensorRT is seen from the virtual environment.
RUN python3 -m venv --system-site-packages /opt/edgecl \
    && /opt/edgecl/bin/python -m pip install --no-cache-dir \
        --constraint /source/constraints.txt /source /wheels/*.whl \
    && rm -rf /wheels /source
ENV PATH=/opt/edgecl/bin:${PATH} XDG_CACHE_HOME=/var/cache
RUN useradd --create-home --uid 10001 edgecl \
    && install --directory --owner edgecl --group edgecl /var/cache/edgecl /data
USER edgecl
WORKDIR /data
# NVIDIA's own entry point prints a banner on standard output, where results go.
ENTRYPOINT ["edgecl"]
CMD ["doctor"]
