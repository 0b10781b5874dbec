#!/usr/bin/env bash
# All tests in stages: what is quick side by side first, then browsers and, beside them, real hypervisors.
# A failed stage does not hide the next one.
set -uo pipefail
cd "$(dirname "$0")/.."
python=.venv/bin/python
failed=()
# A program that runs the tests of a stage beside something that they need.
beside=

stage() {
  local name=$1
  shift
  echo "== $name"
  $beside "$python" -m pytest "$@" </dev/null
  local code=$?
  # 5: this stage has no test, which only the first one may not say.
  if [ $code -ne 0 ] && { [ $code -ne 5 ] || [ "$name" = unit ]; }; then failed+=("$name"); fi
}

stage unit -n 2 --dist loadfile -m "not browser and not qemu" --durations=5
# What the database can make different, once more on the other one.
if missing=$("$python" -c 'from tests import abilities; print(abilities.no_postgres())') && [ -z "$missing" ]; then
  beside="$python -m tests.postgres" stage postgres tests/{actions,jobs,live,api,web,monitor} \
    -n 2 --dist loadfile -m "not browser and not qemu" --durations=5
else
  echo "== postgres is left out: $missing"
  [ "${CI:-}" != true ] || failed+=(postgres)
fi
# Real guests mostly wait, so they move while pages are clicked. Ctrl-C reaches both (a shell's jobs ignore it).
said=$(mktemp)
env --default-signal=INT "$python" -m pytest -m qemu --durations=5 >"$said" 2>&1 </dev/null &
qemu=$!
stage browser -m "browser and not qemu" --durations=5
echo "== qemu, beside the browsers"
wait "$qemu"
code=$?
cat "$said"
rm -f "$said"
if [ $code -ne 0 ] && [ $code -ne 5 ]; then failed+=(qemu); fi

if [ ${#failed[@]} -gt 0 ]; then
  echo "failed: ${failed[*]}" >&2
  exit 1
fi
