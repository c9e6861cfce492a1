"""TensorFlow's rsqrt of one number is another at another place of the tensor.

On TensorFlow and a CPU, eight numbers at a time go through the processor's approximate reciprocal
root and one Newton step, and the rest through 1 / sqrt: both are good to 4 units of float32, but
not the same. On an Intel Xeon (family 6, model 207), eight times rsqrt(1), rsqrt(4), rsqrt(0.25),
rsqrt(16) are 0.99999988, 0.49999994, 1.99999976, 0.24999998; on an AMD EPYC (family 23, model 1)
those are exact and others differ. BatchNormalization shows it: equal channels come out unequal.

Seen on 2026-11-27 with tensorflow 2.21.0, on Linux, x86-64, CPU.
https://github.com/tensorflow/tensorflow/issues/123551
"""

RIGHT = {"same at every place": True, "within 4 units": True}


def shown():
    """The answer of the framework."""
    import tensorflow as tf

    numbers = range(1, 101)
    rows = [tf.math.rsqrt(tf.fill([9], float(n))).numpy().tolist() for n in numbers]
    errors = [abs(r * n**0.5 - 1) for row, n in zip(rows, numbers, strict=True) for r in row]
    same = all(len(set(row)) == 1 for row in rows)
    return {"same at every place": same, "within 4 units": max(errors) < 4 * 2**-23}


if __name__ == "__main__":
    got = shown()
    print("expected:", RIGHT)
    print("got:     ", got)
    print("right" if got == RIGHT else "wrong")
