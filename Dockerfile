# The app, or with another command a server of jobs: docker build -t paretoscope .
# A GPU's torch, or the smaller one for processors alone: --build-arg TORCH_INDEX=(the index it comes from).
FROM python:3.11.13-slim-bookworm

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

# Every version with its hashes, but torch, whose builds differ by platform, and what more than one machine needs.
COPY requirements.txt requirements.lock requirements-cluster.txt ./
RUN python -m pip install --require-hashes -r requirements.lock
ARG TORCH_INDEX=""
RUN python -m pip install ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} "$(grep '^torch==' requirements.txt)"
RUN python -m pip list --format=freeze > there.txt \
    && grep -E '^(psycopg|obstore)' requirements-cluster.txt > more.txt \
    && python -m pip install -c there.txt -r more.txt \
    && rm there.txt more.txt

COPY .streamlit/config.toml .streamlit/config.toml
COPY assets assets
COPY core core
COPY pages pages
COPY app.py LICENSE ./
ENV OMP_NUM_THREADS=1 PARETOSCOPE_HOME=/var/lib/paretoscope NUMBA_CACHE_DIR=/tmp/numba MPLCONFIGDIR=/tmp/matplotlib
RUN python -m pages.ui.packed \
    && useradd --uid 10001 --create-home --shell /usr/sbin/nologin paretoscope \
    && mkdir -p /var/lib/paretoscope \
    && chown -R paretoscope /var/lib/paretoscope

# Nothing of the program can be written to by who runs it.
USER 10001
VOLUME /var/lib/paretoscope
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/health', timeout=4)"]
# All addresses of the container; publish the port on 127.0.0.1, or behind a proxy (see the README).
CMD ["python", "-m", "streamlit", "run", "app.py", "--server.port", "8501", "--server.address", "0.0.0.0", "--server.headless", "true"]
