"""tf.nn.max_pool2d with a window one larger than the image kills the process.

The layer raises when it knows the size; tf.nn.max_pool2d dies of a division by 0.

Seen on 2026-11-24 with tensorflow 2.21.0, on Linux, x86-64, CPU.
https://github.com/tensorflow/tensorflow/issues/88481
"""

import subprocess
import sys

RIGHT = [1, 0, 0, 2]


def shown():
    """The answer of the framework."""
    import tensorflow as tf
    return tf.nn.max_pool2d(tf.ones((1, 3, 3, 2)), 4, 1, "VALID").shape.as_list()


if __name__ == "__main__":
    if sys.argv[1:] == ["here"]:
        print(shown())
        sys.exit()
    run = subprocess.run([sys.executable, __file__, "here"], stdout=-1, text=True)
    died = f"the process died of signal {-run.returncode}"
    got = died if run.returncode else run.stdout.strip()
    print("expected:", RIGHT)
    print("got:     ", got)
    print("right" if got == str(RIGHT) else "wrong")
