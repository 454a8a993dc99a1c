"""The compiled twin: a fitted scikit-learn pipeline as a small program of float64 kernels.

scikit-learn needs ten to four hundred times the arithmetic of one row for its checks. A program is plain data (see
``document``) that NumPy alone runs: it is compiled beside the model at the end of training, compared with it on held-out
and on special rows (``certificate``), and used only where it agrees. Objects of scikit-learn are only looked at, by
attribute; nothing here imports it.
"""

from modelyard_runtime.twin.certificate import certified, certify
from modelyard_runtime.twin.node import Answer, NotCompiledError, TwinFormatError
from modelyard_runtime.twin.program import Program, compile_model, load

__all__ = [
    "Answer",
    "NotCompiledError",
    "Program",
    "TwinFormatError",
    "certified",
    "certify",
    "compile_model",
    "load",
]
