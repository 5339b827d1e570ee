#!/bin/sh
# Runs the models of the runtime's races in every order that memory allows: models.sh
#
# They are in models. LOOM_MAX_PREEMPTIONS (3) is how often a thread that could go on is held up.
set -eu

cd "$(dirname "$0")/.."
. scripts/setup.sh
setup build

export RUSTFLAGS="--cfg loom"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/models"
# No other lint run sees them.
cargo clippy --quiet --package libmilter --example models -- -D warnings
# The dispatch of models is slow without optimisation.
CARGO_PROFILE_DEV_OPT_LEVEL=2 cargo run --quiet --package libmilter --example models
