#!/bin/sh
# The whole job on one dataset: build, train, evaluate, visualise, export, predict. First it labels
# sample people with the model that comes with the project, `deeplab demo`: whether all works here is
# seen within a minute. Where they are the dataset, the training goes on from that model.
#
#   sh local_test.sh                            the embedded sample people
#   FROM_SCRATCH=1 sh local_test.sh             starts from random weights, and trains longer
#   DATASET=path/of/records sh local_test.sh    own data, as build_custom_data.py leaves it
#   PYTHON=python3.7 sh local_test.sh           on TensorFlow 1.15
#   DRY_RUN=1 sh local_test.sh                  prints the commands only
#
# Running it again continues the training and keeps what is there already. Settings, all
# environment variables:
#   DATASET         sample_people, or a folder of TFRecords with a dataset_info.json
#   WORK_DIR        where everything goes (experiments)
#   MODEL_VARIANT   backbone (mobilenet_v2)
#   FROM_SCRATCH    1: the training does not start from the model of the demo; other backbones, own
#                   records and networks of other MODEL_FLAGS never do
#   NUM_ITERATIONS  training steps (1200; from scratch 3200)
#   BATCH_SIZE      images per step
#   CROP_SIZE       training crop, height,width
#   TRAIN_FLAGS     further flags of train.py: optimizer, learning rate, augmentation
#   MODEL_FLAGS     further flags of train, eval, vis and export alike
#   NUM_TRAIN, NUM_VAL  size of the sample people
#   STAGES          some of: demo dataset train evaluate visualise export predict; by default all,
#                   and demo until a training has begun
#   PYTHON          interpreter
set -eu
caller=$PWD
script=$(basename "$0")
cd "$(dirname "$0")"
. utils/driver.sh
check_call "$script" 0 "$@"
check_numbers NUM_ITERATIONS BATCH_SIZE NUM_TRAIN NUM_VAL
check_switches FROM_SCRATCH
check_stages demo dataset train evaluate visualise export predict
choose_lane

DATASET=${DATASET:-sample_people}
work_dir=$(absolute "${WORK_DIR:-$PWD/experiments}")
MODEL_VARIANT=${MODEL_VARIANT:-mobilenet_v2}
BATCH_SIZE=${BATCH_SIZE:-4}
CROP_SIZE=${CROP_SIZE:-193,193}
# For a short run from scratch: Adam, batch norm averages that follow quickly, and pictures at
# the scale they are evaluated at.
TRAIN_FLAGS=${TRAIN_FLAGS:---optimizer=adam --adam_learning_rate=0.002
  --batch_norm_decay=0.99 --augmentation=deeplab --min_scale_factor=1
  --max_scale_factor=1}
NUM_TRAIN=${NUM_TRAIN:-400}
NUM_VAL=${NUM_VAL:-100}

if [ "$DATASET" = sample_people ]; then
  records=$work_dir/sample_people/tfrecord
else
  records=$(absolute "$DATASET")
  [ "${DRY_RUN:-0}" = 1 ] || [ -f "$records/dataset_info.json" ] ||
    fail "$records has no dataset_info.json; make the records with" \
      "datasets/build_custom_data.py (see g3doc/own_data.md)"
fi
run=$work_dir/$(basename "$DATASET")-$MODEL_VARIANT-$LANE
start='' most_steps=3200
if [ "$DATASET/$MODEL_VARIANT/${MODEL_FLAGS:-}/${FROM_SCRATCH:-0}" = sample_people/mobilenet_v2//0 ]
then
  start=--tf_initial_checkpoint=tools/demo/sample_people.pb most_steps=1200
fi

if [ -n "${STAGES:-}" ] || [ ! -e "$run/train/checkpoint" ]; then
  stage demo "$PYTHON" tools/demo/__main__.py --output_dir="$work_dir/demo" --num_val="$NUM_VAL"
fi
[ "$DATASET" != sample_people ] ||
  stage dataset "$PYTHON" datasets/build_sample_data.py --output_dir="$work_dir/sample_people" \
    --num_train="$NUM_TRAIN" --num_val="$NUM_VAL"

# Whole pictures are larger than the training crop: pooling over windows of its size shows the
# image-level branch what it was trained on. They are evaluated, drawn and exported at their own
# sizes: the network has seen no padding.
model_flags="--model_variant=$MODEL_VARIANT --output_stride=16 --decoder_output_stride=4
  --image_pooling_crop_size=$CROP_SIZE ${MODEL_FLAGS:-}$more_model_flags"

# Flags are lists of words on purpose.
# shellcheck disable=SC2086
{
  stage train "$PYTHON" train.py --dataset_dir="$records" --train_logdir="$run/train" \
    --train_split=train --training_number_of_steps="${NUM_ITERATIONS:-$most_steps}" \
    --train_batch_size="$BATCH_SIZE" --train_crop_size="$CROP_SIZE" \
    --save_summaries_secs=60 \
    --save_summaries_images --save_interval_secs=300 $model_flags $start $TRAIN_FLAGS \
    $more_train_flags

  stage evaluate "$PYTHON" eval.py --dataset_dir="$records" --checkpoint_dir="$run/train" \
    --eval_logdir="$run/eval" --eval_split=val --eval_crop_size= \
    --max_number_of_evaluations=1 $model_flags

  stage visualise "$PYTHON" vis.py --dataset_dir="$records" --checkpoint_dir="$run/train" \
    --vis_logdir="$run/vis" --vis_split=val --vis_crop_size= \
    --max_number_of_iterations=1 --also_save_raw_predictions $model_flags

  stage export "$PYTHON" export_model.py --checkpoint_path="$run/train" \
    --export_path="$run/export/frozen_inference_graph.pb" --dataset_dir="$records" \
    --crop_size=0 $model_flags
}

# A picture that was held out, as vis.py wrote it.
stage predict "$PYTHON" predict.py --model="$run/export/frozen_inference_graph.pb" \
  --input="$run/vis/segmentation_results/000000_image.png" --output_dir="$run/predict"

[ "${DRY_RUN:-0}" != 1 ] || exit 0
echo
echo "== done ($(($(date +%s) - started)) s)"
echo "Pictures:       $run/vis/segmentation_results"
echo "Prediction:     $run/predict"
echo "Frozen graph:   $run/export/frozen_inference_graph.pb"
echo "Curves:         ${PYTHON%python}tensorboard --logdir=$run"
if is_wanted evaluate; then
  echo
  "$PYTHON" -m deeplab.evaluation.semantic.segmentation_metrics "$run/eval/metrics.json"
  if [ -n "$start" ] && [ -f "$work_dir/demo/per_image.csv" ]; then
    echo
    echo "== the model that the training started from, and what it became"
    "$PYTHON" -m deeplab.tools.runs.compare_runs --num_images=0 "$work_dir/demo" "$run/eval"
  fi
fi
