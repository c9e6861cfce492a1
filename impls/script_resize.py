"""The lines of a script that make the shares of each pixel of a resized image, in plain NumPy."""

from convparity.impls.spec import Resize, Shape, output_shape


def resizes(spec: Resize, shape: Shape) -> list[tuple[str, list[str]]]:
    """For each axis what its lines make, and the lines.

    ``at``, the pixel of each place; or ``shares``, those of each pixel in each place.
    """
    sizes = zip(shape[1:-1], output_shape(spec, shape)[1:-1], strict=True)
    scales = spec.scale or (1,) * spec.rank
    return [
        _resize(spec, n, m, by if isinstance(by, float) else None)
        for (n, m), by in zip(sizes, scales, strict=True)
    ]


def _resize(spec: Resize, n: int, m: int, by: float | None) -> tuple[str, list[str]]:
    exact = spec.method == "nearest-exact"
    if spec.method in ("nearest", "nearest-exact"):
        if by is None or (not exact and m in (n, 2 * n)):
            where = (
                f"(2 * np.arange({m}) + 1) * {n} // {2 * m}"
                if exact
                else (f"np.arange({m}) * {n} // {m}")
            )
            return "at", [f"at = {where}"]
        step = f"np.float32(1 / {by})"
        where = (
            f"(np.arange({m}) + 0.5) * float({step})"
            if exact
            else (f"np.arange({m}, dtype=np.float32) * {step}")
        )
        return "at", [
            f"at = np.floor(({where}).astype(np.float32))  # found in float32",
            f"at = np.minimum(at.astype(int), {n - 1})",
        ]
    if spec.method == "area":
        lines = [
            f"starts, stops = np.arange({m}) * {n} // {m}, -(-np.arange(1, {m + 1}) * {n} // {m})",
            f"shares = (starts[:, None] <= np.arange({n})) & (np.arange({n}) < stops[:, None])",
            "shares = shares / shares.sum(axis=1, keepdims=True)",
        ]
        return "shares", [*lines, "shares = shares.astype(np.float32)"]
    if spec.align_corners:
        at = f"np.arange({m}) * {n - 1} / {max(m - 1, 1)}"
    elif by is None or (m == n and (spec.method == "linear" or spec.antialias)):
        at = f"((2 * np.arange({m}) + 1) * {n} - {m}) / {2 * m}"
    else:
        at = f"(np.arange({m}) + 0.5) / {by} - 0.5"
    lines = [f"at = {at}"]
    wide = max(n / m if by is None else 1 / by, 1.0) if spec.antialias else 1.0
    linear, beyond = spec.method == "linear", 0
    if linear and not spec.antialias:
        lines.append(f"at = at.clip(0, {n - 1})")
    if not linear and not spec.antialias:
        beyond = 2  # pixels of the repeated border
    pixels = f"np.arange({-beyond}, {n + beyond})" if beyond else f"np.arange({n})"
    lines.append(f"d = abs(at[:, None] - {pixels})" + (f" / {wide!r}" if wide > 1 else ""))
    if linear:
        lines.append("shares = np.maximum(1 - d, 0)")
    else:
        a = -0.5 if spec.antialias else -0.75
        lines += [
            f"near = {a + 2} * d**3 - {a + 3} * d**2 + 1  # Keys' kernel, a = {a}",
            f"far = {a} * (d**3 - 5 * d**2 + 8 * d - 4)",
            "shares = np.where(d <= 1, near, np.where(d < 2, far, 0))",
        ]
    if beyond:
        lines.append(f"shares = shares @ np.eye({n})[np.arange(-2, {n + 2}).clip(0, {n - 1})]")
    if spec.antialias:
        lines.append("shares = shares / shares.sum(axis=1, keepdims=True)")
    return "shares", [*lines, "shares = shares.astype(np.float32)"]
