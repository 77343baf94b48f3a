# shellcheck shell=bash
# Sourced by the other scripts: corelog_bin prints the path of the binary, or says why there is none.

# CORELOG_BIN, else next to the script, else the checkout's release build, else it is built.
corelog_bin() {
  local here root target
  here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
  root=$(dirname "$here")
  target=${CARGO_TARGET_DIR:-$root/target}
  if [ -n "${CORELOG_BIN:-}" ]; then
    [ -x "$CORELOG_BIN" ] || { echo "CORELOG_BIN=$CORELOG_BIN cannot be run" >&2; return 1; }
    echo "$CORELOG_BIN"
  elif [ -f "$here/corelog" ] && [ -x "$here/corelog" ]; then
    echo "$here/corelog"
  elif [ -x "$target/release/corelog" ]; then
    echo "$target/release/corelog"
  elif [ -f "$root/Cargo.toml" ] && command -v cargo >/dev/null; then
    echo "building corelog (cargo build --release)" >&2
    cargo build --release --bin corelog --manifest-path "$root/Cargo.toml" >&2 || return 1
    echo "$target/release/corelog"
  else
    echo "no corelog binary: set CORELOG_BIN, put it next to $here, or build it with cargo build --release" >&2
    return 1
  fi
}
