#!/bin/sh
# Builds the records of Cityscapes from the two archives of its site, which asks for a login.
#
#   sh datasets/convert_cityscapes.sh [CITYSCAPES_ROOT]
#
# CITYSCAPES_ROOT (datasets/cityscapes) holds the zip files, or leftImg8bit and gtFine as they
# were unpacked from them, and gets tfrecord. Running it again skips what is finished. Settings,
# all environment variables:
#   BUILD_FLAGS   further flags of build_cityscapes_data.py, e.g. --with_test
#   PYTHON        interpreter
set -eu
caller=$PWD
cd "$(dirname "$0")/.."
. utils/driver.sh
. datasets/download.sh
check_call datasets/convert_cityscapes.sh 1 "$@"
root=$(absolute "${1:-$PWD/datasets/cityscapes}")
rerun="sh datasets/convert_cityscapes.sh '$root'"

missing=
for part in leftImg8bit gtFine; do
  archive=${part}_trainvaltest.zip
  is_unpacked "$archive" "$part" "$root" || [ -f "$root/$archive" ] || missing="$missing $archive"
done
[ -z "$missing" ] || {
  cat >&2 <<MESSAGE
error: Cityscapes is not complete in $root; missing:$missing
Cityscapes asks for a login, so this cannot be downloaded by a script:
  1. register and log in at https://www.cityscapes-dataset.com/downloads
  2. download leftImg8bit_trainvaltest.zip (11 GB) and gtFine_trainvaltest.zip (241 MB)
  3. put both, packed as they are, into $root
  4. run again: $rerun
MESSAGE
  exit 1
}

choose_lane
for part in leftImg8bit gtFine; do
  archive=${part}_trainvaltest.zip
  is_unpacked "$archive" "$part" "$root" || unpack "$root/$archive" "$root"
done
# Flags are a list of words on purpose.
# shellcheck disable=SC2086
"$PYTHON" datasets/build_cityscapes_data.py --cityscapes_root="$root" \
  --output_dir="$root/tfrecord" ${BUILD_FLAGS:-}
