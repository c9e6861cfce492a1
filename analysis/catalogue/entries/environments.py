"""What the entries were seen with: the libraries, their versions, and the settings of some."""

from typing import NamedTuple


class Library(NamedTuple):
    """What a demonstration asks: a framework, or what lies beneath one."""

    title: str
    framework: str  # whose extra installs it


class Setting(NamedTuple):
    """Where a demonstration runs: the environment variables, which need a process of their own."""

    environment: dict[str, str]
    needs: tuple[str, ...] = ()  # frameworks, besides that of the library


LIBRARIES = {
    "pytorch": Library("PyTorch", "pytorch"),
    "flax": Library("Flax", "flax"),
    "keras": Library("Keras", "keras"),
    "jax": Library("JAX", "flax"),
    "tensorflow": Library("TensorFlow", "keras"),
}
VERSIONS = {
    "torch": "2.13.0",
    "jax": "0.10.2",
    "flax": "0.12.8",
    "keras": "3.15.1",
    "tensorflow": "2.21.0",
}
DATE = "2026-11-24"

# TensorFlow turns oneDNN on by itself where the processor has AVX512-VNNI or the like; a
# demonstration whose answer depends on it says which it wants.
ONEDNN = "TensorFlow with oneDNN"
NO_ONEDNN = "TensorFlow without oneDNN"
SETTINGS = {
    "": Setting({"KERAS_BACKEND": "tensorflow"}),
    "Keras on JAX": Setting({"KERAS_BACKEND": "jax"}, ("flax",)),
    "Keras on PyTorch": Setting({"KERAS_BACKEND": "torch"}, ("pytorch",)),
    ONEDNN: Setting({"KERAS_BACKEND": "tensorflow", "TF_ENABLE_ONEDNN_OPTS": "1"}),
    NO_ONEDNN: Setting({"KERAS_BACKEND": "tensorflow", "TF_ENABLE_ONEDNN_OPTS": "0"}),
}

# What no framework depends on, so that it may be missing, and where it comes from.
NEEDS = {"triton": "PyTorch's CUDA build, which pip installs on Linux, brings it"}
