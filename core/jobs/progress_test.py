import pytest

from deeplab.core.jobs import progress


def test_a_log_file_gets_the_first_and_the_last_state(capsys):
  with progress.bar('counting', total=1000) as bar:
    for _ in range(1000):
      bar.update()
  states = capsys.readouterr().err.strip('\r\n').split('\r')
  assert len(states) == 2, states
  assert states[0].startswith('counting:   0%')
  assert '1000/1000' in states[1] and 'image/s' in states[1]


def test_a_terminal_is_updated_often(monkeypatch):
  class Terminal(object):
    text = ''

    def isatty(self):
      return True

    def write(self, text):
      self.text += text

    def flush(self):
      pass

  terminal = Terminal()
  monkeypatch.setattr('sys.stderr', terminal)
  with progress.bar('counting') as bar:
    assert bar.mininterval <= 1
  assert 'counting' in terminal.text


@pytest.mark.parametrize('rate, text', [(123.44, '123.4'), (1.0, '1.0'), (0.0337, '0.034'),
                                        (0.5, '0.5'), (0.0, '0')])
def test_slow_rates_keep_their_digits(rate, text):
  assert progress.format_rate(rate) == text
