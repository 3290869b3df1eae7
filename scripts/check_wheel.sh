#!/bin/sh
# Build the wheel and use it as a user would who has no checkout: in an environment of its own,
# without the extras, from an empty folder.
set -eu

PYTHON=${PYTHON:-python3}
root=$(cd "$(dirname "$0")/.." && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT INT TERM

fail() {
  printf 'check_wheel: %s\n' "$1" >&2
  exit 1
}
step() { printf '%s\n' "--- $1"; }

step "An environment in a temporary folder"
"$PYTHON" -m venv "$place/venv"
python=$place/venv/bin/python
"$python" -m pip install --quiet --upgrade "pip>=25.1"

step "Building the wheel"
"$python" -m pip wheel --quiet --no-deps --wheel-dir "$place/dist" "$root"
set -- "$place"/dist/napari_spheroseg-*.whl
[ -f "$1" ] || fail "no wheel was built"
wheel=$1
step "$(basename "$wheel"): $(du -k "$wheel" | cut -f1) KiB"
"$python" - "$wheel" <<'END' || fail "the wheel is not complete"
import sys
import zipfile

names = zipfile.ZipFile(sys.argv[1]).namelist()
wanted = ["napari.yaml", "weights/unet/model.json", "weights/unet/weights.safetensors"]
lacking = [name for name in wanted if f"napari_spheroseg/{name}" not in names]
strange = [name for name in names if not name.startswith("napari_spheroseg")]
for name in lacking:
    print("lacks", name)
for name in strange:
    print("should not hold", name)
sys.exit(bool(lacking or strange))
END

step "Installing it, without extras"
"$python" -m pip install --quiet -c "$root/constraints.txt" "$wheel"
"$python" - <<'END' || fail "the library alone must not bring Qt or napari"
import sys
from importlib.metadata import distributions

unwanted = ("napari", "pyqt", "pyside", "qtpy", "magicgui", "superqt", "vispy")
names = {(each.metadata["Name"] or "").lower() for each in distributions()}
found = sorted(n for n in names if n.startswith(unwanted) and n != "napari-spheroseg")
if found:
    print(*found)
sys.exit(bool(found))
END

step "Using it from an empty folder"
mkdir "$place/empty" "$place/home"
cd "$place/empty"
unset PYTHONPATH SPHEROSEG_MODELS XDG_DATA_HOME || true
export HOME="$place/home"
where=$("$python" -c 'import napari_spheroseg; print(napari_spheroseg.__file__)')
case $where in
  "$place"/*) ;;
  *) fail "the checkout was used, not the wheel: $where" ;;
esac
"$place/venv/bin/spheroseg" --version
"$place/venv/bin/spheroseg" models list
"$place/venv/bin/spheroseg" demo --picture -o out
[ -s out/demo.png ] || fail "the demo wrote no picture"
[ -s out/measurements.csv ] || fail "the demo wrote no table"
step "The wheel works"
