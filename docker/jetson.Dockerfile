# edgecl on a Jetson with JetPack 6 (TensorRT 10.3). No torch: train and export elsewhere.
#
#   docker build -f docker/jetson.Dockerfile -t edgecl .        # on the Jetson
#   docker run --rm --runtime nvidia -v "$PWD:/data" -v edgecl-engines:/var/cache/edgecl \
#       edgecl run --model NAME.edgecl --camera frames/
#
# JetPack 6 has Python 3.10, and NVIDIA's bindings in it are for that one; edgecl needs 3.11. So the
# bindings are built here from NVIDIA's sources, against the image's own libraries. JetPack 7 has
# Python 3.12 and needs none of this: a virtual environment with --system-site-packages will do.
#
# This file is not built by the tests, and was not built on a Jetson. The image's tag is one that
# public projects use for JetPack 6.1 and 6.2; the registry itself was not asked.
ARG BASE=${REGISTRY}/nvidia/l4t-tensorrt:r10.3.0-devel

FROM ${BASE} AS wheels
# The tag of NVIDIA's sources that belongs to the image's TensorRT, and a pybind11 that knows 3.11.
ARG TENSORRT_TAG=v10.3.0
ARG PYBIND11_TAG=v2.11.1
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        ca-certificates cmake g++ git make python3.11-dev python3.11-venv \
    && rm -rf /var/lib/apt/lists/*
RUN python3.11 -m venv /build \
    && /build/bin/python -m pip install --no-cache-dir setuptools wheel
ENV PATH=/build/bin:/usr/local/cuda/bin:${PATH}
RUN git clone --depth 1 --branch ${TENSORRT_TAG} https://github.com/NVIDIA/TensorRT.git /tensorrt \
    && git -C /tensorrt submodule update --init --depth 1 parsers/onnx \
    && git clone --depth 1 --branch ${PYBIND11_TAG} https://github.com/pybind/pybind11.git \
        /external/pybind11 \
    && mkdir -p /external/python3.11 \
    && ln -s /usr/include/python3.11 /external/python3.11/include
RUN cd /tensorrt/python \
    && TRT_OSSPATH=/tensorrt EXT_PATH=/external TENSORRT_MODULE=tensorrt \
        PYTHON_MAJOR_VERSION=3 PYTHON_MINOR_VERSION=11 TARGET_ARCHITECTURE=aarch64 \
        TRT_LIBPATH=/usr/lib/aarch64-linux-gnu bash build.sh \
    && mkdir /wheels \
    && find /tensorrt/python/build -name 'tensorrt*cp311*.whl' -exec cp {} /wheels/ ';'
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir /wheels 'pycuda>=2024.1'

FROM ${BASE}
# OpenCV loads libGL and glib.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 python3.11-venv \
    && rm -rf /var/lib/apt/lists/*
COPY --from=wheels /wheels /wheels
COPY pyproject.toml constraints.txt README.md LICENSE /source/
COPY edgecl /source/edgecl
COPY export /source/export
COPY calibration /source/calibration
COPY runtime /source/runtime
RUN python3.11 -m venv /opt/edgecl \
    && /opt/edgecl/bin/python -m pip install --no-cache-dir \
        --constraint /source/constraints.txt /source /wheels/*.whl \
    && rm -rf /wheels /source
ENV PATH=/opt/edgecl/bin:${PATH} XDG_CACHE_HOME=/var/cache
RUN useradd --create-home --uid 10001 --groups video edgecl \
    && install --directory --owner edgecl --group edgecl /var/cache/edgecl /data
USER edgecl
WORKDIR /data
ENTRYPOINT ["edgecl"]
CMD ["doctor"]
