"""What is wrong with a command line ends a script with 2, what is wrong with files with 1."""
import pytest

from deeplab.testing import forked_scripts, tiny_run

_CLUSTER = ('--worker_hosts=a:1,b:1', '--ps_hosts=c:1')
_BASE = {
    'train.py': ('--train_logdir={new}', '--dataset_dir={records}', '--train_split=val',
                 '--train_crop_size=33,33', '--train_batch_size=2', '--training_number_of_steps=1'),
    'eval.py': ('--eval_logdir={new}', '--checkpoint_dir={run}', '--dataset_dir={records}',
                '--eval_split=val', '--eval_crop_size=49,65', '--eval_once'),
    'vis.py': ('--vis_logdir={new}', '--checkpoint_dir={run}', '--dataset_dir={records}',
               '--vis_split=val', '--vis_crop_size=49,65', '--max_number_of_iterations=1'),
    'predict.py': ('--checkpoint_dir={run}', '--input={pictures}', '--output_dir={new}'),
    'export_model.py': ('--checkpoint_path={run}', '--export_path={new}.pb'),
    'convert_to_tflite.py': ('--quantized_graph_def_path={run}/graph.pb',
                             '--input_tensor_name=a:0', '--output_tensor_name=b:0',
                             '--output_tflite_path={new}'),
    'datasets/build_custom_data.py': ('--image_dir={pictures}', '--label_dir={labels}',
                                      '--output_dir={new}', '--num_classes=4'),
    'datasets/build_sample_data.py': ('--output_dir={new}',),
    'datasets/build_voc2012_data.py': (
        '--image_folder={pictures}', '--semantic_segmentation_folder={labels}',
        '--list_folder={pictures}', '--output_dir={new}'),
    'datasets/doctor.py': ('--dataset_dir={records}',),
    'tools/records/preview.py': ('--dataset_dir={records}', '--train_split=val',
                            '--output={new}.png'),
    'datasets/remove_gt_colormap.py': ('--original_gt_folder={labels}', '--output_dir={new}'),
    'evaluation/eval_coco_format.py': ('--gt_folder={labels}', '--pred_folder={labels}'),
    'tools/runs/plot_losses.py': ('--output={new}.png',),
    'tools/runs/compare_runs.py': (),
    'tools/checkpoints/inspect_checkpoint.py': (),
    'tools/benchmarks/__main__.py': (),
    'tools/cluster/cluster_scripts.py': (),
}
# Script, flags, what the message says.
_UNUSABLE = [
    ('train.py', ('--train_crop_size=513',), '--train_crop_size must be two'),
    ('train.py', ('--train_crop_size=a,b',), '--train_crop_size must be two'),
    ('train.py', ('--train_crop_size=0,33',), '--train_crop_size must be two'),
    ('train.py', ('--train_crop_size=-33,33',), '--train_crop_size must be two'),
    ('train.py', ('--train_batch_size=3', '--num_clones=2'), 'must be divisible'),
    ('train.py', ('--label_weights=1,a,1,1',), '--label_weights must be 4 numbers'),
    ('train.py', ('--label_weights=1,-1,1,1',), '--label_weights must be 4 numbers'),
    ('train.py', ('--label_weights=1,1',), '--label_weights must be 4 numbers'),
    ('train.py', ('--affine_stddev=1,2',), '--affine_stddev must be'),
    ('train.py', ('--saturation=1',), '--saturation must be'),
    ('train.py', ('--contrast=2,1',), 'the least factor comes first'),
    ('train.py', ('--min_scale_factor=2', '--max_scale_factor=1'), 'scale'),
    ('train.py', ('--max_resize_value=33',), 'needs --min_resize_value'),
    ('train.py', ('--model_variant=xcepton_65',), "Did you mean 'xception_65'"),
    ('train.py', ('--image_pyramid=0',), 'image_pyramid'),
    ('train.py', ('--image_pooling_crop_size=3',), '--image_pooling_crop_size must be'),
    ('train.py', ('--image_pooling_stride=1',), '--image_pooling_stride must be'),
    ('train.py', ('--decoder_output_stride=a',), '--decoder_output_stride must be'),
    ('train.py', ('--decoder_output_stride=3',), 'decoder_output_stride'),
    ('train.py', ('--decoder_output_stride=4,8',), 'decoder_output_stride'),
    ('train.py', ('--output_stride=7',), 'output_stride'),
    ('train.py', ('--multi_grid=1', '--multi_grid=2'), 'multi_grid'),
    ('train.py', ('--model_variant=xception_41', '--multi_grid=1', '--multi_grid=2'), 'multi_grid'),
    ('train.py', ('--model_variant=xception_41', '--depth_multiplier=0.5'), 'depth_multiplier'),
    ('train.py', ('--logits_kernel_size=3',), 'logits_kernel_size'),
    ('train.py', ('--dense_prediction_cell_json=[1',), '--dense_prediction_cell_json'),
    ('train.py', ('--dense_prediction_cell_json=[]',), '--dense_prediction_cell_json'),
    ('train.py', ('--top_k_percent_pixels=0',), 'top_k_percent_pixels'),
    ('train.py', ('--quantize_delay_step=0', '--model_variant=xception_41'), '--model_variant'),
    ('train.py', ('--quantize_delay_step=0', '--precision=bfloat16'), '--precision=float32'),
    ('train.py', ('--max_bad_fraction=0.5',), 'has no effect'),
    ('train.py', ('--worker_hosts=a',), 'hosts are written host:port'),
    ('train.py', ('--worker_hosts=a:1,b:1',), 'at least one parameter server'),
    ('train.py', ('--worker_hosts=a:1,a:1', '--ps_hosts=b:1'), 'is there twice'),
    ('train.py', _CLUSTER + ('--task=2',), 'there is no'),
    ('train.py', _CLUSTER + ('--num_replicas=3',), '--num_replicas=3'),
    ('train.py', _CLUSTER + ('--gradient_accumulation_steps=2',), 'leave the flag at 1'),
    ('train.py', ('--task=1',), '--task=1'),
    ('train.py', ('--master=here',), '--master=here'),
    ('eval.py', ('--eval_scales=0',), '--eval_scales must be'),
    ('eval.py', ('--eval_scales=-1',), '--eval_scales must be'),
    ('eval.py', ('--eval_scales=0.5', '--image_pyramid=0.5'), 'cannot be combined'),
    ('eval.py', ('--eval_crop_size=1',), '--eval_crop_size must be two'),
    ('eval.py', ('--tile_size=33',), '--tile_size must be two'),
    ('eval.py', ('--tile_size=33,33', '--tile_overlap=33'), 'overlap of tiles'),
    ('eval.py', ('--max_resize_value=33',), 'needs --min_resize_value'),
    ('eval.py', ('--tile_overlap=3',), 'has no effect'),
    ('vis.py', ('--eval_scales=0',), '--eval_scales must be'),
    ('vis.py', ('--vis_crop_size=a',), '--vis_crop_size must be two'),
    ('vis.py', ('--tile_size=0,0',), '--tile_size must be two'),
    ('predict.py', ('--model={new}',), 'Pass either'),
    ('predict.py', ('--outputs=a',), '--outputs=a'),
    ('predict.py', ('--outputs=',), '--outputs is empty'),
    ('predict.py', ('--eval_scales=0',), '--eval_scales must be'),
    ('predict.py', ('--tile_size=99,99', '--min_resize_value=3'), 'cannot be combined'),
    ('predict.py', ('--tile_size=33',), '--tile_size must be two'),
    ('export_model.py', ('--format=onx',), "Did you mean 'onnx'"),
    ('export_model.py', ('--format=frozen,frozen',), '--format must be different'),
    ('export_model.py', ('--format=',), '--format must be different'),
    ('export_model.py', ('--tflite_kind=int8',), 'has no effect'),
    ('export_model.py', ('--format=tflite',), 'must end in .tflite'),
    ('export_model.py', ('--crop_size=33',), '--crop_size must be given twice'),
    ('export_model.py', ('--crop_size=-1', '--crop_size=3'), 'crop_size'),
    ('export_model.py', ('--inference_scales=0',), '--inference_scales must be'),
    ('export_model.py', ('--max_resize_value=3',), 'needs --min_resize_value'),
    ('convert_to_tflite.py', ('--input_size=3',), '--input_size must be two'),
    ('datasets/build_custom_data.py', ('--coco_json={new}',), 'exclude each other'),
    ('datasets/build_custom_data.py', ('--class_names=a,b',), '--num_classes=4'),
    ('datasets/build_custom_data.py', ('--split_fractions=train',), '--split_fractions must be'),
    ('datasets/build_custom_data.py', ('--split_fractions=train=2',), 'positive with sum 1'),
    ('datasets/build_custom_data.py', ('--split_fractions=train=0.5,train=0.5',),
     'positive with sum 1'),
    ('datasets/build_custom_data.py', ('--split_fractions=train=1', '--split=val'), 'excludes'),
    ('datasets/build_custom_data.py', ('--split_fractions=train=nan',), 'positive with sum 1'),
    ('datasets/build_custom_data.py', ('--unlabelled=a',), 'has no effect'),
    ('datasets/build_custom_data.py', ('--num_tasks=2',), 'pass --task_index'),
    ('datasets/build_custom_data.py', ('--num_tasks=2', '--task_index=2'), '--task_index=2'),
    ('datasets/build_custom_data.py', ('--num_tasks=0',), 'num_tasks'),
    ('datasets/build_sample_data.py', ('--num_people=0',), 'num_people'),
    ('datasets/build_voc2012_data.py', ('--merge', '--task_index=0'), 'exclude each other'),
    ('tools/records/preview.py', ('--output={new}.txt',), 'ends in .png or .jpg'),
    ('tools/records/preview.py', ('--train_crop_size=3',), '--train_crop_size must be two'),
    ('datasets/remove_gt_colormap.py', ('--output_dir={labels}',), 'must not be'),
    ('evaluation/eval_coco_format.py', (), '--layout=coco needs --gt_json_file'),
    ('evaluation/eval_coco_format.py', ('--layout=folders',),
     '--layout=folders needs --gt_instance_folder'),
    ('tools/runs/plot_losses.py', (), 'Name at least one folder'),
    ('tools/runs/plot_losses.py', ('{run}', '--output={new}.txt'), 'must end with'),
    ('tools/runs/compare_runs.py', ('{run}',), 'Name two runs'),
    ('tools/checkpoints/inspect_checkpoint.py', (), 'Name one checkpoint'),
    ('tools/benchmarks/__main__.py', ('nonsense',), 'nonsense'),
    ('tools/benchmarks/__main__.py', ('train', '--variants=nonsense'), 'nonsense'),
    ('tools/cluster/cluster_scripts.py', (), 'Name one of'),
    ('tools/cluster/cluster_scripts.py', ('nonsense',), 'nonsense'),
    ('tools/cluster/cluster_scripts.py', ('slurm', '--gpus=2', '--batch_size=3'), 'divisible'),
]
_OF_FILES = [
    ('train.py', ('--dataset_dir={absent}',), ''),
    ('train.py', ('--train_split=nonsense',), 'nonsense'),
    ('train.py', ('--tf_initial_checkpoint={absent}',), '--tf_initial_checkpoint'),
    ('train.py', ('--dense_prediction_cell_json={absent}',), 'cannot be read as JSON: No such'),
    ('eval.py', ('--checkpoint_dir={absent}',), '--checkpoint_dir'),
    ('eval.py', ('--eval_crop_size=33,33',), 'is smaller than images'),
    ('vis.py', ('--dataset_dir={pictures}',), ''),
    ('predict.py', ('--input={absent}',), '--input'),
    ('export_model.py', ('--checkpoint_path={absent}',), '--checkpoint_path'),
    ('convert_to_tflite.py', (), 'Cannot read the model'),
    ('datasets/build_custom_data.py', ('--image_dir={absent}',), ''),
    ('datasets/build_voc2012_data.py', (), ''),
    ('datasets/doctor.py', ('--dataset_dir={absent}',), ''),
    ('tools/runs/plot_losses.py', ('{absent}',), 'No folder'),
    ('tools/runs/compare_runs.py', ('{absent}', '{run}'), ''),
    ('tools/checkpoints/inspect_checkpoint.py', ('{absent}',), ''),
]


@pytest.fixture(name='places', scope='module')
def fixture_places(tmp_path_factory):
  """Returns dict, name -> folder; those of new and absent are not there."""
  root = tmp_path_factory.mktemp('exit_codes')
  samples = tiny_run.make_samples()
  places = {name: root / name for name in ('records', 'pictures', 'labels', 'run', 'new',
                                           'absent')}
  for name in ('records', 'pictures', 'labels', 'run'):
    places[name].mkdir()
  tiny_run.write_records(str(places['records']), samples)
  tiny_run.write_run(places['run'], samples[1].image)
  for sample in samples:
    name = sample.name.replace('/', '_') + '.png'
    (places['pictures'] / name).write_bytes(tiny_run.encode(sample.image))
    (places['labels'] / name).write_bytes(tiny_run.encode(sample.label))
  return places


def _check(places, script, words, message, code):
  before = sorted(places['new'].parent.glob('*'))
  found, output, errors = forked_scripts.run_apart(
      script, *[word.format(**places) for word in _BASE[script] + words])
  line = errors.strip().splitlines()[-1]
  assert (found, 'error:' in line) == (code, True), errors
  assert message in line
  # What is wrong with files may be found when the folder of results is there.
  assert code == 1 or sorted(places['new'].parent.glob('*')) == before


@pytest.mark.parametrize('script, words, message', _UNUSABLE)
def test_an_unusable_command_line_ends_with_2_and_leaves_nothing(places, script, words, message):
  _check(places, script, words, message, 2)


@pytest.mark.parametrize('script, words, message', _OF_FILES)
def test_what_is_wrong_with_files_ends_with_1(places, script, words, message):
  _check(places, script, words, message, 1)
