# The centre from its wheel: `make wheel` first, which leaves it in dist/.
FROM python:3.11-slim-bookworm
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --user-group --home-dir /var/lib/cgii --create-home cgii
COPY constraints.txt dist/*.whl /tmp/wheel/
RUN pip install --no-cache-dir -c /tmp/wheel/constraints.txt \
        "$(ls /tmp/wheel/cgii-*.whl)[centre]" \
    && rm -rf /tmp/wheel
USER cgii
WORKDIR /var/lib/cgii
ENTRYPOINT ["cgii"]
