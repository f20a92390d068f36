#!/bin/sh
# Trainings on the Forma human-parsing sets: train, evaluate, visualise, export, predict.
#
#   DATASET_NAME=forma54k sh local_test_forma.sh   a set below ~/storage/shared/deeplab
#   FORMA_SAMPLE=1 sh local_test_forma.sh          generated people, in the layouts of the sources
#   DRY_RUN=1 sh local_test_forma.sh               prints the commands only
#   sh local_test_forma.sh --list                  the sets, their sizes and settings
#
# Running it again continues the newest experiment of the same host, set, backbone and
# description. Settings, all environment variables:
#   DATASET_NAME         a set of --list (forma54k), or any folder with a dataset_info.json there
#   DEEPLAB_STORAGE_DIR  root of sets and experiments (~/storage/shared/deeplab)
#   MACHINE              cpu, 1gpu or 4gpu: clones, batch, learning rate (by the GPUs found)
#   POLICY               poly, step, finetune or adam (poly; on cpu adam)
#   EPOCHS               passes over the training split (30); NUM_ITERATIONS goes before it
#   MODEL_VARIANT        backbone (mobilenet_v2)
#   DESCRIPTION          last part of the name of the experiment (MACHINE-POLICY-lane)
#   EXPERIMENT           its whole name; NEW=1 begins another one
#   INIT_CHECKPOINT      weights to start from; INIT_FLAGS e.g. --initialize_last_layer=false
#   BATCH_SIZE, NUM_CLONES, LEARNING_RATE, SLOW_START_STEPS   instead of what MACHINE says
#   CROP_SIZE, RESIZE    instead of what the table of sets says; RESIZE= keeps the pictures' sizes
#   EVAL_DATASET, EVAL_SPLIT   what is evaluated, if not what the table says
#   AUGMENTATION         forma, deeplab or none (forma)
#   TRAIN_FLAGS          further flags of train.py
#   MODEL_FLAGS          instead of the flags of the backbone, for train, eval, vis and export
#   EVAL_FLAGS           further flags of eval, vis and export, e.g. --output_stride=8
#   STAGES               some of: train evaluate visualise export predict, and before them, with
#                        FORMA_SAMPLE: sources humanparsing17k imaterialist37k nsfw1k tryon1k
#                        forma54k
#   SAMPLE_DIR, NUM_PICTURES   of FORMA_SAMPLE: its root (experiments/forma_sample), pictures per
#                        source (200)
#   SHORT=1              FORMA_SAMPLE within a minute, which shows that everything runs
#   PYTHON               interpreter, python3.7 for TensorFlow 1.15
set -eu
caller=$PWD
script=$(basename "$0")
cd "$(dirname "$0")"
. utils/driver.sh

# set, crop, size of the longer side that pictures are scaled to, set and split of the evaluation;
# set "it": the same.
# The sizes of the sets are in datasets/registry.py.
list_settings() {
  cat <<'SETS'
imaterialist37k 513,513 513 it val
humanparsing17k 513,513 513 it val
nsfw1k 513,513 513 it trainval
tryon1k 513,513 513 it val
tryon10k 513,513 513 forma54k val
forma54k 513,513 513 it val
forma55k 513,513 513 it val
forma54k_tryon1k 513,513 513 it val
forma54k_nsfw1k_tryon1k 513,513 513 it val
forma54k_tryon10k 513,513 513 it val
forma54k_tryon10k_landmarks 513,513 513 it val
imaterialist37k_landmarks_seg_pants 513,513 513 it val
humanparsing17k_landmarks_seg_pants 513,513 513 it val
humanparsing17k_imaterialist37k_tryon10k_landmarks_seg_pants 513,513 513 it val
SETS
}

# Arguments: root, set, batch, epochs, set and split of the evaluation, crop, and the number of
# training pictures while there are no records, empty: as published. Prints the number of
# training pictures, the steps that the epochs take, and height and width of an input that holds
# the crop and the largest picture of the evaluation.
describe='
import os, sys
from deeplab.datasets.records import dataset_info
from deeplab.datasets import registry

def records(name):
  folder = os.path.join(root, "datasets", name, "tfrecord")
  return folder if os.path.isdir(folder) else None

root, name, batch, epochs, eval_name, eval_split, crop, planned_size = sys.argv[1:]
try:
  row = registry.resolve(name, records(name))
  registry.check_split(row, "train", records(name))
  size = row.splits_to_sizes["train"]
  if planned_size and not records(name):
    size = int(planned_size)
  steps = -int(-float(epochs) * size // int(batch))
  sides = list(map(int, crop.split(",")))
  info = records(eval_name) and dataset_info.read(records(eval_name))
  if info and eval_split in info.splits:
    sides = map(max, sides, info.splits[eval_split].image_sizes["max"])
  print(size, max(1, steps), *[-(-(side - 1) // 16) * 16 + 1 for side in sides])
except ValueError as error:
  sys.exit("error: %s" % error)'

list_sets() {
  list_settings | "$PYTHON" -c '
import sys
from deeplab.datasets import registry
row = "%-62s %7s %9s %6s %9s %7s  %s"
print(row % ("set", "train", "trainval", "val", "crop", "resize", "evaluated on"))
for line in sys.stdin:
  name, crop, resize, eval_name, eval_split = line.split()
  sizes = registry.DATASETS[name].splits_to_sizes
  print(row % (name, sizes["train"], sizes["trainval"], sizes["val"], crop, resize,
               "%s of %s" % (eval_split, eval_name)))'
}

is_list=
[ "${1:-}" != --list ] || { is_list=1; shift; }
check_call "$script" 0 "$@"
check_switches FORMA_SAMPLE SHORT NEW
check_numbers NUM_ITERATIONS BATCH_SIZE NUM_CLONES NUM_PICTURES
stages='train evaluate visualise export predict'
[ "${FORMA_SAMPLE:-0}" = 0 ] ||
  stages="sources humanparsing17k imaterialist37k nsfw1k tryon1k forma54k $stages"
# Words on purpose.
# shellcheck disable=SC2086
check_stages $stages
choose_lane
[ -x "$PYTHON" ] || fail "DRY_RUN=1 installs nothing, but steps and sizes are computed with the" \
  "packages: \`. utils/setup_env.sh\` installs them"
[ -z "$is_list" ] || { list_sets; exit 0; }

# --- the generated people ---
FORMA_SAMPLE=${FORMA_SAMPLE:-0}
SHORT=${SHORT:-0}
[ "$SHORT" = 0 ] || [ "$FORMA_SAMPLE" = 1 ] || refuse "SHORT=1 is for FORMA_SAMPLE=1"
if [ "$FORMA_SAMPLE" = 1 ]; then
  # A root of their own: the sample sets have the names of the real ones.
  root=$(absolute "${SAMPLE_DIR:-$PWD/experiments/forma_sample}")
  if [ "$SHORT" = 1 ]; then
    root=$(absolute "${SAMPLE_DIR:-$PWD/experiments/forma_sample_short}")
    NUM_PICTURES=${NUM_PICTURES:-12} NUM_ITERATIONS=${NUM_ITERATIONS:-6}
    CROP_SIZE=${CROP_SIZE:-129,129}
    STAGES=${STAGES:-sources humanparsing17k imaterialist37k tryon1k forma54k train evaluate
      visualise export}
  fi
  NUM_PICTURES=${NUM_PICTURES:-200}
  EPOCHS=${EPOCHS:-16}
  MACHINE=${MACHINE:-cpu}
  POLICY=${POLICY:-adam}
  LEARNING_RATE=${LEARNING_RATE:-0.002}
  CROP_SIZE=${CROP_SIZE:-193,193}
  RESIZE=${RESIZE-}
  AUGMENTATION=${AUGMENTATION:-deeplab}
  # Pictures at the scale they are evaluated at: faster in a short run.
  TRAIN_FLAGS=${TRAIN_FLAGS:---min_scale_factor=1 --max_scale_factor=1}
else
  root=$(absolute "${DEEPLAB_STORAGE_DIR:-"$HOME/storage/shared/deeplab"}")
fi

# --- the set ---
DATASET_NAME=${DATASET_NAME:-forma54k}
# Words of a row of the table on purpose; a set of the user's own is treated like forma54k.
# shellcheck disable=SC2046
set -- $(list_settings | grep "^$DATASET_NAME " ||
  echo "$DATASET_NAME 513,513 513 it val")
CROP_SIZE=${CROP_SIZE:-$2}
RESIZE=${RESIZE-$3}
[ "$4" != it ] || set -- "$1" "$2" "$3" "$DATASET_NAME" "$5"
EVAL_DATASET=${EVAL_DATASET:-$4}
EVAL_SPLIT=${EVAL_SPLIT:-$5}

# --- the workstation ---
gpus=$(nvidia-smi -L 2>/dev/null | grep -c '^GPU' || true)
if [ "$gpus" -ge 4 ]; then found=4gpu; elif [ "$gpus" -ge 1 ]; then found=1gpu; else found=cpu; fi
MACHINE=${MACHINE:-$found}
case $MACHINE in
  cpu) clones=1 batch=4 rate=0.002 slow_start=0 policy=adam ;;
  1gpu) clones=1 batch=12 rate=0.007 slow_start=0 policy=poly ;;
  4gpu) clones=4 batch=48 rate=0.014 slow_start=1000 policy=poly ;;
  *) refuse "MACHINE=$MACHINE must be cpu, 1gpu or 4gpu" ;;
esac
NUM_CLONES=${NUM_CLONES:-$clones}
BATCH_SIZE=${BATCH_SIZE:-$batch}
POLICY=${POLICY:-$policy}
SLOW_START_STEPS=${SLOW_START_STEPS:-$slow_start}

case ${EPOCHS:=30} in
  *[!0-9.]* | 0) refuse "EPOCHS=$EPOCHS must be a number above 0" ;;
esac

# --- raw folders and records of the generated people ---
planned_size=
if [ "$FORMA_SAMPLE" = 1 ]; then
  planned_size=$((NUM_PICTURES * 8 / 10))
  case $DATASET_NAME in
    forma54k) planned_size=$((planned_size * 2)) ;;
    humanparsing17k | imaterialist37k | nsfw1k | tryon1k) ;;
    *) refuse "FORMA_SAMPLE=1 makes humanparsing17k, imaterialist37k, nsfw1k, tryon1k and" \
      "forma54k, not DATASET_NAME=$DATASET_NAME" ;;
  esac
  sources=$root/sources_$NUM_PICTURES
  stage sources "$PYTHON" datasets/build_sample_forma_sources.py --output_dir="$sources" \
    --num_pictures="$NUM_PICTURES"
  stage humanparsing17k "$PYTHON" datasets/build_humanparsing17k_data.py \
    --storage_dir="$root" --raw_dir="$sources/atr" --parts_dir="$sources/atr/parts"
  stage imaterialist37k "$PYTHON" datasets/build_imaterialist37k_data.py \
    --storage_dir="$root" --raw_dir="$sources/fashion" --parts_dir="$sources/fashion/parts"
  for set_name in nsfw1k tryon1k; do
    stage "$set_name" "$PYTHON" "datasets/build_${set_name}_data.py" \
      --storage_dir="$root" \
      --image_dir="$sources/tryon/images" --label_dir="$sources/tryon/labels" \
      --num_train=$((NUM_PICTURES * 8 / 10)) --num_trainval=$((NUM_PICTURES / 10))
  done
  stage forma54k "$PYTHON" datasets/build_forma54k_data.py --storage_dir="$root"
fi

# --- how long, and how large ---
stage_name=settings
records=$root/datasets/$DATASET_NAME/tfrecord
eval_records=$root/datasets/$EVAL_DATASET/tfrecord
for folder in "$records" "$eval_records"; do
  [ "${DRY_RUN:-0}" = 1 ] || [ -f "$folder/dataset_info.json" ] ||
    fail "$folder has no dataset_info.json: build the set first (g3doc/forma.md)," \
      "set DEEPLAB_STORAGE_DIR, or try FORMA_SAMPLE=1"
done
facts=$("$PYTHON" -c "$describe" "$root" "$DATASET_NAME" "$BATCH_SIZE" "$EPOCHS" \
  "$EVAL_DATASET" "$EVAL_SPLIT" "$CROP_SIZE" "$planned_size")
# Words on purpose: pictures, steps, height, width.
# shellcheck disable=SC2086
set -- $facts
train_size=$1 eval_height=$3 eval_width=$4
NUM_ITERATIONS=${NUM_ITERATIONS:-$2}
resize_flags=
if [ -n "$RESIZE" ]; then
  # The longer side becomes this, whatever the shape.
  resize_flags="--min_resize_value=$RESIZE --max_resize_value=$RESIZE"
  eval_height=$RESIZE eval_width=$RESIZE
fi

# --- the learning policy ---
case $POLICY in
  finetune) rate=0.0001 ;;
  adam) rate=0.001 ;;
esac
LEARNING_RATE=${LEARNING_RATE:-$rate}
case $POLICY in
  poly)  # As the published results were trained.
    policy_flags="--learning_policy=poly --learning_power=0.9
      --base_learning_rate=$LEARNING_RATE" ;;
  step)  # Smoothly, to a tenth in each third.
    policy_flags="--learning_policy=step --learning_rate_decay_factor=0.1
      --learning_rate_decay_step=$(((NUM_ITERATIONS + 2) / 3))
      --base_learning_rate=$LEARNING_RATE" ;;
  finetune)  # Small steps from trained weights, batch norm as it was.
    [ -n "${INIT_CHECKPOINT:-}" ] || refuse "POLICY=finetune needs INIT_CHECKPOINT"
    policy_flags="--learning_policy=poly --base_learning_rate=$LEARNING_RATE
      --nofine_tune_batch_norm" ;;
  adam)  # Short runs from scratch, with batch norm averages that follow quickly.
    policy_flags="--optimizer=adam --adam_learning_rate=$LEARNING_RATE
      --batch_norm_decay=0.99" ;;
  *) refuse "POLICY=$POLICY must be poly, step, finetune or adam" ;;
esac
if [ "$SLOW_START_STEPS" -gt 0 ]; then
  policy_flags="$policy_flags --slow_start_step=$SLOW_START_STEPS
    --slow_start_burnin_type=linear"
fi

# --- the network ---
MODEL_VARIANT=${MODEL_VARIANT:-mobilenet_v2}
case $MODEL_VARIANT in
  mobilenet_v2 | nas_*) rates= ;;
  *) rates='--atrous_rates=6 --atrous_rates=12 --atrous_rates=18' ;;
esac
MODEL_FLAGS=${MODEL_FLAGS:---output_stride=16 --decoder_output_stride=4 $rates}
# Whole pictures may be larger than the training crop: pooling over windows of its size shows
# the image-level branch what it was trained on.
model_flags="--model_variant=$MODEL_VARIANT --image_pooling_crop_size=$CROP_SIZE
  $MODEL_FLAGS $resize_flags$more_model_flags"
eval_flags="$model_flags ${EVAL_FLAGS:-}$more_eval_flags"

# --- the experiment: date, host, set, backbone and description ---
DESCRIPTION=${DESCRIPTION:-$MACHINE-$POLICY-$LANE}
what=$(printf '%s' "$(uname -n)_${DATASET_NAME}_${MODEL_VARIANT}_$DESCRIPTION" |
  tr -c 'A-Za-z0-9._-' '-')
if [ -z "${EXPERIMENT:-}" ] && [ "${NEW:-0}" = 0 ]; then
  # Dates sort: the newest one is last.
  for run in "$root"/experiments/????????-??????_"$what"; do
    [ ! -d "$run" ] || EXPERIMENT=$(basename "$run")
  done
fi
EXPERIMENT=${EXPERIMENT:-$(date +%Y%m%d-%H%M%S)_$what}
run=$root/experiments/$EXPERIMENT
cat <<FACTS
experiment  $run
set         $DATASET_NAME: $train_size training pictures, crop $CROP_SIZE${RESIZE:+ of $RESIZE}
machine     $MACHINE: $NUM_CLONES clone(s), $BATCH_SIZE pictures per step
training    $POLICY from $LEARNING_RATE, $NUM_ITERATIONS steps
FACTS

# Flags are lists of words on purpose.
# shellcheck disable=SC2086
{
  stage train "$PYTHON" train.py --dataset_dir="$records" --train_logdir="$run/train" \
    --train_split=train --training_number_of_steps="$NUM_ITERATIONS" \
    --num_clones="$NUM_CLONES" --train_batch_size="$BATCH_SIZE" \
    --train_crop_size="$CROP_SIZE" $policy_flags --augmentation="${AUGMENTATION:-forma}" \
    ${INIT_CHECKPOINT:+"--tf_initial_checkpoint=$INIT_CHECKPOINT"} ${INIT_FLAGS:-} \
    --save_summaries_images --save_summaries_secs=120 --save_interval_secs=600 \
    $model_flags ${TRAIN_FLAGS:-} $more_train_flags

  stage evaluate "$PYTHON" eval.py --dataset_dir="$eval_records" \
    --checkpoint_dir="$run/train" --eval_logdir="$run/eval" --eval_split="$EVAL_SPLIT" \
    --eval_crop_size="$eval_height,$eval_width" --max_number_of_evaluations=1 $eval_flags

  stage visualise "$PYTHON" vis.py --dataset_dir="$eval_records" \
    --checkpoint_dir="$run/train" --vis_logdir="$run/vis" --vis_split="$EVAL_SPLIT" \
    --vis_crop_size="$eval_height,$eval_width" --max_number_of_iterations=1 \
    --also_save_raw_predictions $eval_flags

  stage export "$PYTHON" export_model.py --checkpoint_path="$run/train" \
    --export_path="$run/export/frozen_inference_graph.pb" --dataset_dir="$records" \
    --crop_size="$eval_height" --crop_size="$eval_width" $eval_flags
}
# A picture that was held out, as vis.py wrote it.
stage predict "$PYTHON" predict.py --model="$run/export/frozen_inference_graph.pb" \
  --input="$run/vis/segmentation_results/000000_image.png" --output_dir="$run/predict"

[ "${DRY_RUN:-0}" = 0 ] || exit 0
stage_name=summary
echo
echo "== done ($(($(date +%s) - started)) s): $run"
if is_wanted evaluate; then
  "$PYTHON" -m deeplab.evaluation.semantic.segmentation_metrics "$run/eval/metrics.json"
fi
