"""tf.nn.max_pool2d with a window one larger than the image kills the process.

The layer raises when it knows the size; tf.nn.max_pool2d with oneDNN dies of a division by 0.

Seen on 2026-11-24 with tensorflow 2.21.0, on Linux, x86-64, CPU.
https://github.com/tensorflow/tensorflow/issues/88481
https://github.com/keras-team/keras/issues/22916
"""

import os
import subprocess
import sys

os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"

RIGHT = "an error, or an empty array"


def shown():
    """The answer of the framework."""
    import tensorflow as tf

    return tf.nn.max_pool2d(tf.ones((1, 3, 3, 2)), 4, 1, "VALID").shape.as_list()


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
