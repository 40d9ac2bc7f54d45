# edgecl on a Jetson with JetPack 6 (TensorRT 10.3). No torch: train and export elsewhere.
#
#   docker build -f docker/jetson.Dockerfile --build-arg REGISTRY=HOST -t edgecl .        # on the Jetson
#   docker run --rm --runtime nvidia -v "$PWD:/data" -v edgecl-engines:/var/cache/edgecl \
#       edgecl run --model NAME.edgecl --camera frames/
#
# This file is not built by the tests, and was not built on a Jetson. The image's tag is one that
# public projects use for JetPack 6.1 and 6.2; the registry itself was not asked. For JetPack 7, take
# NVIDIA's image of that release: docker build --build-arg BASE=…
# REGISTRY is the host of NVIDIA's container registry, as its catalogue's pull command shows it.
ARG REGISTRY
ARG BASE=${REGISTRY}/nvidia/l4t-tensorrt:r10.3.0-devel

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
COPY pyproject.toml README.md LICENSE /source/
COPY edgecl /source/edgecl
COPY export /source/export
COPY calibration /source/calibration
COPY runtime /source/runtime
# The image's own TensorRT, which is for its own Python 3.10 alone, is seen from the virtual
# environment. constraints.txt pins versions of newer Pythons and is left out.
RUN python3 -m venv --system-site-packages /opt/edgecl \
    && /opt/edgecl/bin/python -m pip install --no-cache-dir /source /wheels/*.whl \
    && rm -rf /wheels /source
ENV PATH=/opt/edgecl/bin:${PATH} XDG_CACHE_HOME=/var/cache
RUN useradd --create-home --uid 10001 --groups video edgecl \
    && install --directory --owner edgecl --group edgecl /var/cache/edgecl /data
USER edgecl
WORKDIR /data
ENTRYPOINT ["edgecl"]
CMD ["doctor"]
