#!/usr/bin/env bash
# Write requirements.lock and requirements-dev.lock from pyproject.toml (needs uv). Both are installed with --no-deps.
#
# Left out, because nothing that Zhiku runs imports them (together 0.5 GB; tests/unit/test_locks.py and the loaders' tests
# would notice): numba and llvmlite (unstructured's image layouts), spaCy and what it brings (unstructured's downloaded
# sentence model, replaced in ingestion/load/offline.py). SciPy (0.14 GB) at run time: pytrec-eval names it and imports
# nothing of it; for tests it stays (sentence-transformers).
set -euo pipefail
cd "$(dirname "$0")/.."
left_out=(numba llvmlite spacy spacy-legacy spacy-loggers thinc blis cymem preshed murmurhash srsly wasabi weasel
  catalogue confection cloudpathlib smart-open)
options=(--universal --python-version 3.11 --no-header --no-annotate)
for name in "${left_out[@]}"; do options+=(--no-emit-package "$name"); done
uv pip compile -q pyproject.toml "${options[@]}" --no-emit-package scipy -o requirements.lock
uv pip compile -q pyproject.toml --group dev -c requirements.lock "${options[@]}" -o requirements-dev.lock
