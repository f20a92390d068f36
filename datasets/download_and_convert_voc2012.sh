#!/bin/sh
# Downloads PASCAL VOC 2012 (2 GB) and builds its records.
#
#   sh datasets/download_and_convert_voc2012.sh [WORK_DIR]
#
# WORK_DIR (datasets/pascal_voc_seg) gets VOCdevkit/VOC2012 and tfrecord. Running it again skips
# what is finished. Settings, all environment variables:
#   WITH_SBD=1         also the Semantic Boundaries Dataset (1.4 GB) for the split train_aug
#   BUILD_FLAGS        further flags of build_voc2012_data.py
#   VOC_URL, VOC_MD5   another place of VOCtrainval_11-May-2012.tar, and its checksum
#   SBD_URL, SBD_MD5   another place of benchmark.tgz, and its checksum
#   PYTHON             interpreter
set -eu
caller=$PWD
cd "$(dirname "$0")/.."
. utils/driver.sh
. datasets/download.sh
check_call datasets/download_and_convert_voc2012.sh 1 "$@"
work_dir=$(absolute "${1:-$PWD/datasets/pascal_voc_seg}")
rerun="${WITH_SBD:+WITH_SBD=$WITH_SBD }sh datasets/download_and_convert_voc2012.sh '$work_dir'"
voc_url=${VOC_URL:-http://host.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar}
voc_md5=${VOC_MD5:-6cd6e144f989b92b3379bac3b3de84fd}
sbd_url=${SBD_URL:-https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/benchmark.tgz}
sbd_md5=${SBD_MD5:-82b4d87ceb2ed10f6038a1cba92111cb}

choose_lane
[ "${WITH_SBD:-0}" = 0 ] || "$PYTHON" -c 'import scipy.io' 2>/dev/null || {
  echo "error: WITH_SBD=1 needs SciPy: $PYTHON -m pip install scipy" >&2
  exit 1
}
voc_archive=$work_dir/VOCtrainval_11-May-2012.tar
is_unpacked "$voc_archive" VOCdevkit/VOC2012 "$work_dir" || {
  download "$voc_url" "$voc_archive" md5 "$voc_md5"
  unpack "$voc_archive" "$work_dir"
}
sbd_dir=
if [ "${WITH_SBD:-0}" != 0 ]; then
  sbd_archive=$work_dir/benchmark.tgz
  is_unpacked "$sbd_archive" benchmark_RELEASE/dataset "$work_dir" || {
    download "$sbd_url" "$sbd_archive" md5 "$sbd_md5"
    unpack "$sbd_archive" "$work_dir"
  }
  sbd_dir=$work_dir/benchmark_RELEASE/dataset
fi

voc_dir=$work_dir/VOCdevkit/VOC2012
# Flags are a list of words on purpose.
# shellcheck disable=SC2086
"$PYTHON" datasets/build_voc2012_data.py \
  --image_folder="$voc_dir/JPEGImages" \
  --semantic_segmentation_folder="$voc_dir/SegmentationClassRaw" \
  --list_folder="$voc_dir/ImageSets/Segmentation" \
  ${sbd_dir:+"--sbd_dir=$sbd_dir"} \
  --output_dir="$work_dir/tfrecord" ${BUILD_FLAGS:-}
