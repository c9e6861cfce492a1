"""TensorFlow kills a process that imports triton after it, as PyTorch does late.

From 2.20 on, TensorFlow shows its own LLVM to every library that is loaded after it, and triton's
code, from 3.7 on, finds that instead of the LLVM that it carries. The other order is fine.

Seen on 2026-11-27 with tensorflow 2.21.0, triton 3.8.0, on Linux, x86-64, CPU.
https://github.com/tensorflow/tensorflow/issues/124205
https://github.com/tensorflow/tensorflow/issues/93969
https://github.com/PythonOT/POT/issues/839
"""

import subprocess
import sys

RIGHT = "triton"


def shown():
    """The answer of the framework."""
    import tensorflow as tf
    import triton

    tf.zeros(1)
    return triton.__name__


if __name__ == "__main__":
    if sys.argv[1:] == ["here"]:
        print(shown())
        sys.exit()
    here = [sys.executable, __file__, "here"]
    run = subprocess.run(here, capture_output=True, text=True)
    died = run.returncode < 0
    print("expected:", RIGHT)
    print("got:     ", f"death by signal {-run.returncode}" if died else run.stdout + run.stderr)
    print("wrong" if died else "right")
