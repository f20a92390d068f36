"""Tests of the names of exported files."""
import pytest

from deeplab.deployment import export_formats


@pytest.mark.parametrize('formats, path, expected', [
    (['frozen'], 'a/g.graph', ['a/g.graph']),
    (['savedmodel'], 'a/m/', ['a/m']),
    (['tflite', 'frozen'], 'a/g.pb', ['a/g.tflite', 'a/g.pb']),
    (['frozen', 'savedmodel'], 'a/v1.5', ['a/v1.5.pb', 'a/v1.5_saved_model']),
    (['frozen', 'onnx'], 'a/m/', ['a/m.pb', 'a/m.onnx']),
])
def test_files_of_several_formats_share_a_name(formats, path, expected):
  assert export_formats.paths(formats, path) == expected


@pytest.mark.parametrize('formats, path, message', [
    (['frozen', 'frozen'], 'm', 'must be different names of frozen, onnx, savedmodel, tflite, '
                                'got frozen,frozen'),
    ([], 'm', 'got nothing'),
    (['tflit'], 'm', 'tflite'),
    (['tflite'], 'm.pb', '--export_path=m.pb must end in .tflite'),
])
def test_formats_and_paths_that_cannot_be_are_told(formats, path, message):
  with pytest.raises(ValueError, match=message):
    export_formats.paths(formats, path)


@pytest.mark.parametrize('name, formats', [
    ('tflite_kind', ['tflite']),
    ('dynamic_batch', ['frozen', 'savedmodel']),
    ('export_probabilities', ['frozen', 'savedmodel']),
    ('optimize', ['frozen', 'onnx', 'savedmodel'])])
def test_settings_that_no_format_serves_are_refused(name, formats):
  for chosen in export_formats.FORMATS:
    for more in ([], ['frozen'], ['tflite']):
      if {chosen, *more} & set(formats):
        export_formats.check_served([chosen] + more, {name: '--word'})
      else:
        with pytest.raises(ValueError, match='--word has no effect with --format=%s: it is for %s. '
                                             'Leave it out, or add ' % (
                                                 ','.join([chosen] + more), ', '.join(formats))):
          export_formats.check_served([chosen] + more, {name: '--word'})


def test_settings_that_are_not_given_and_formats_that_are_not_known():
  assert export_formats.served_settings() == [
      'dynamic_batch', 'export_probabilities', 'optimize', 'tflite_kind']
  export_formats.check_served(['tflite'], {'optimize': ''})
  with pytest.raises(ValueError, match='tflite'):
    export_formats.check_served(['tflit'], {'optimize': ''})
