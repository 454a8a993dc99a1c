#!/usr/bin/env bash
# Tries the model of build/ci/model outside of Modelyard: `ci/elsewhere.sh 1.9.0` installs that scikit-learn beside the
# model's other libraries for the python3 on the PATH, and asks the model for what the server answered.
. "$(dirname "$0")/settings.sh"
scikit_learn=${1:?which version of scikit-learn?}
# NumPy and SciPy are what this Python takes: not every release of them is made for every Python.
grep -vE '^(numpy|scipy|scikit-learn)==' "$out/model/requirements.txt" >"$out/elsewhere.txt"
python3 -m venv --clear "$out/elsewhere"
"$out/elsewhere/bin/python" -m pip install --quiet "scikit-learn==$scikit_learn" -r "$out/elsewhere.txt"
"$out/elsewhere/bin/python" ci/elsewhere.py "$out/model"
