#!/bin/sh
# Makes sample_people.pb, the model of `deeplab demo`: the training of local_test.sh from scratch,
# exported with float16 weights that keep their names, so that a training can start from them.
#
#   sh tools/demo/make_model.sh [WORK_DIR]
#
# PYTHON chooses the lane. The graph that TensorFlow 1.15 writes runs on both: the model that comes
# with the project was made with PYTHON=python3.7.
set -eu
cd "$(dirname "$0")/../.."
work_dir=${1:-experiments/demo_model}
FROM_SCRATCH=1 STAGES='dataset train' WORK_DIR=$work_dir sh local_test.sh
. utils/setup_env.sh
"$PYTHON" export_model.py --checkpoint_path="$work_dir/sample_people-mobilenet_v2-$LANE/train" \
  --export_path=tools/demo/sample_people.pb --dataset_dir="$work_dir/sample_people/tfrecord" \
  --crop_size=0 --nooptimize --half_weights
