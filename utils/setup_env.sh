# Finds the virtual environment of a lane, or makes it; sourced in the root of the project, by the
# drivers and in shells that people type into (sh, bash, zsh):
#
#     . utils/setup_env.sh
#
# In:  PYTHON   interpreter to build on, e.g. python3.7 for the TF1 lane. Default: that of the
#               active environment, else the first Python 3.9 to 3.13 found.
#      WITH_TESTS  1: also what the tests need, as run_tests.sh does.
#      DRY_RUN  1: installs nothing.
# Out: PYTHON, LANE (tf1 or tf2); where there is none, status 1 after a line that says why. The
#      shell that sources this goes on, and keeps its options.

if [ -f utils/make_env.sh ]; then
  if { deeplab_env=$(PYTHON="${PYTHON:-}" WITH_TESTS="${WITH_TESTS:-0}" DRY_RUN="${DRY_RUN:-0}" \
    sh utils/make_env.sh 4>&1 >&3); } 3>&1; then
    export PYTHON="${deeplab_env#* }" LANE="${deeplab_env%% *}"
    unset deeplab_env
  else
    false
  fi
else
  echo "error: run this in the root of the project" >&2
  false
fi
