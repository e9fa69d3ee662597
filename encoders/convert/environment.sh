#!/usr/bin/env bash
# The environment in which adapters of the package `adapters` can be read: that package wants transformers 4, which
# cannot live beside the transformers 5 of the `neural` extra. A gigabyte; delete it when all is converted.
#
#     encoders/convert/environment.sh madx-env
#     madx-env/bin/python encoders/convert/madx.py ADAPTER --base BASE --lang sw --out modules/languages
set -euo pipefail
folder=${1:?"usage: environment.sh DIR"}
root=$(cd "$(dirname "$0")/../.." && pwd)
"${PYTHON:-python3}" -m venv "$folder"
# torch comes first and alone: with the other packages in one go, resolvers may take a build for GPUs (5 GB).
"$folder/bin/pip" install --quiet --disable-pip-version-check "${TORCH:-torch==2.13.0}"
"$folder/bin/pip" install --quiet --disable-pip-version-check 'adapters>=1.3,<2' 'safetensors>=0.5' -e "$root"
