"""What processor this is, for tables of what was measured on it."""

import platform
from pathlib import Path


def processor() -> str:
    """The name that its maker gave it, with family and model where the system tells them."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    pairs = (line.partition(":") for line in lines)
    facts = {name.strip(): value.strip() for name, _, value in pairs}
    if "model name" not in facts:
        return platform.processor() or platform.machine()
    known = [f"{each} {facts[each]}" for each in ("cpu family", "model") if each in facts]
    return ", ".join([facts["model name"], *known])
