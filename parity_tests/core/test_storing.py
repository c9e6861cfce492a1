"""Files are written whole or not at all, and what is damaged is refused."""

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import time
import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import convparity
from convparity import Conv, InputError, WeightError, init_weights
from convparity.impls import storing
from convparity.impls.storing import read_whole, write_whole

SPEC = Conv(2, 3, 3)
WEIGHTS = init_weights(SPEC, 0)


@pytest.fixture(params=["unnamed", "named"])
def path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With files that have no name until they are whole, and where there are none."""
    if request.param == "named":
        monkeypatch.setattr(storing, "UNNAMED", None)
    return tmp_path / "weights.safetensors"


# ---------------------------------------------------------------- what stands there


def test_nothing_else_is_left(path: Path) -> None:
    write_whole(path, b"first")
    write_whole(path, b"second")
    assert path.read_bytes() == b"second"
    assert os.listdir(path.parent) == [path.name]


def test_a_new_file_has_the_permissions_of_any_other(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"")
    write_whole(path, b"")
    assert path.stat().st_mode == other.stat().st_mode


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_permissions_stay(path: Path, mode: int) -> None:
    path.write_bytes(b"before")
    path.chmod(mode)
    write_whole(path, b"after")
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_a_link(path: Path, there: bool) -> None:
    target = path.with_name("target")
    if there:
        target.write_bytes(b"before")
    path.symlink_to(target.name)
    write_whole(path, b"after")
    assert path.is_symlink()
    assert target.read_bytes() == b"after"


def test_a_device_is_written_to(path: Path) -> None:
    path.symlink_to("/dev/null")
    write_whole(path, b"gone")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_pipe_is_written_to_where_somebody_reads(path: Path) -> None:
    os.mkfifo(path)
    with pytest.raises(InputError, match="a pipe that nobody reads"):
        write_whole(path, b"lost")
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    write_whole(path, b"seen")
    assert os.read(reader, 9) == b"seen"
    os.close(reader)
    assert stat.S_ISFIFO(path.stat().st_mode)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (".", "it is a folder"),
        ("missing/weights", "No such file or directory"),
        ("n" * 300, "File name too long"),
        ("zero\0byte", "null byte"),
    ],
)
def test_a_place_that_cannot_be_written_is_named(path: Path, name: str, message: str) -> None:
    with pytest.raises(InputError, match=f"cannot write .*{message}"):
        write_whole(path.parent / name, b"")
    assert os.listdir(path.parent) == []


def test_what_is_no_plain_file_is_not_read(path: Path) -> None:
    os.mkfifo(path)
    for name, message in (
        (path.name, "is not a file"),
        (".", "Is a directory|not a file"),
        ("missing", "nothing has this name"),
        ("n" * 300, "File name too long"),
        ("zero\0byte", "null byte"),
    ):
        with pytest.raises(InputError, match=message):
            read_whole(path.parent / name, 99)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_what_is_open_is_written_to(tmp_path: Path, name: str) -> None:
    """A log to which the shell appends keeps what it holds; a pipe is no file to be replaced."""
    log = tmp_path / "log"
    log.write_text("before\n")
    code = "import sys; from convparity.impls.storing import write_whole\nprint('printed')\n"
    code += "write_whole(sys.argv[1], b'written')"
    with log.open("a") as file:
        subprocess.run([sys.executable, "-c", code, name], stdout=file, check=True)
    assert log.read_text() == "before\nprinted\nwritten"
    piped = subprocess.run([sys.executable, "-c", code, name], stdout=subprocess.PIPE, check=True)
    assert piped.stdout == b"printed\nwritten"


# ---------------------------------------------------------------- what goes wrong meanwhile


def test_a_full_disk_leaves_what_was_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    convparity.save(path, SPEC, WEIGHTS)
    before, write = path.read_bytes(), os.write

    def full(descriptor: int, data: memoryview) -> int:
        if len(data) < 300:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data[:100])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(InputError, match="No space left"):
        convparity.save(path, SPEC, init_weights(SPEC, 1))
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_limit_on_the_size_of_files_leaves_what_was_there(path: Path) -> None:
    convparity.save(path, SPEC, WEIGHTS)
    before = path.read_bytes()
    code = (
        "import resource, sys, convparity\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))\n"
        "spec = convparity.Conv(2, 3, 3)\n"
        "convparity.save(sys.argv[1], spec, convparity.init_weights(spec, 1))"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert "InputError: cannot write" in done.stderr
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


FOR_EVER = """
import sys, convparity
spec = convparity.Dense(300, 300)
files = [convparity.init_weights(spec, seed) for seed in (0, 1)]
print("ready", flush=True)
while True:
    for weights in files:
        convparity.save(sys.argv[1], spec, weights)
"""


def test_kills_and_two_writers_lose_no_file(tmp_path: Path) -> None:
    """Whoever reads meanwhile, and whoever is killed: the file is one of the two, and whole."""
    path = tmp_path / "weights.safetensors"
    command = [sys.executable, "-c", FOR_EVER, str(path)]
    spec = convparity.Dense(300, 300)
    either = [init_weights(spec, seed)["kernel"] for seed in (0, 1)]
    rng, read = np.random.default_rng(0), 0
    for _ in range(4):
        writers = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
        end = time.monotonic() + rng.uniform(0.1, 0.3)
        while time.monotonic() < end or not read:
            if path.exists():
                kernel = convparity.load(path)[1]["kernel"]
                assert any(np.array_equal(kernel, each) for each in either)
                read += 1
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
            writer.wait()
    assert read > 10
    assert len(os.listdir(tmp_path)) <= 1 + 2  # a kill between two calls of the system


def test_what_is_written_is_on_the_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file, before it takes its place; then the folder that says which file has the name."""
    synced, replace, fsync = [], os.replace, os.fsync

    def sync(descriptor: int) -> None:
        synced.append(stat.S_IFMT(os.fstat(descriptor).st_mode))
        fsync(descriptor)

    def put(source: str, target: Path) -> None:
        assert synced == [stat.S_IFREG]
        replace(source, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", put)
    convparity.save(path, SPEC, WEIGHTS)
    assert synced == [stat.S_IFREG, stat.S_IFDIR]


@pytest.mark.parametrize("name", ["model.pth", "model.PT", "model.keras", "model.npz", "w.onnx"])
def test_a_name_of_another_format_is_refused(tmp_path: Path, name: str) -> None:
    """What would be written is safetensors, and its reader would be misled."""
    with pytest.raises(InputError, match=r"is safetensors: call it .*\.safetensors"):
        convparity.save(tmp_path / name, SPEC, WEIGHTS)
    assert os.listdir(tmp_path) == []


# ---------------------------------------------------------------- what is too much


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth", "w"])
def test_a_file_of_a_terabyte_is_not_read(tmp_path: Path, name: str) -> None:
    """It takes no room on the disk, and would take all of the memory."""
    path = tmp_path / name
    convparity.save(tmp_path / "whole", SPEC, WEIGHTS)
    for start in ((tmp_path / "whole").read_bytes(), b"PK\x03\x04"):
        path.write_bytes(start)
        os.truncate(path, 2**40)
        with pytest.raises(WeightError, match=r"bytes, and .* are read at most"):
            convparity.load(path)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (2**14, r"kernel has shape \(16384, 16384\), the spec needs \(2, 3\)"),
        (2**13, "its header asks for .* bytes of data"),
    ],
)
def test_the_header_is_checked_before_the_data_are_read(
    tmp_path: Path, size: int, message: str
) -> None:
    """Of a gigabyte that no spec asks for; it takes no room on the disk."""
    path, spec = tmp_path / "w.safetensors", convparity.Dense(2, 3, bias=False)
    metadata = {"spec": convparity.to_json(spec), "sha256": "0"}
    kernel = {"dtype": "F32", "shape": [size, size], "data_offsets": [0, 4 * size**2]}
    header = json.dumps({"__metadata__": metadata, "kernel": kernel}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    os.truncate(path, 8 + len(header) + 2**30)
    tracemalloc.start()
    try:
        with pytest.raises(WeightError, match=message):
            convparity.load(path)
        assert tracemalloc.get_traced_memory()[1] < 2**27
    finally:
        tracemalloc.stop()


# ---------------------------------------------------------------- what is damaged


def test_every_flipped_bit_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    spec = convparity.Sequential(Conv(1, 2, 2, stride=2), convparity.BatchNorm(2))
    convparity.save(path, spec, init_weights(spec, 0))
    whole = path.read_bytes()
    for bit in range(8 * len(whole)):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        with pytest.raises(WeightError, match=path.name):
            convparity.load(path)


def test_a_file_that_shrinks_while_it_is_read_kills_nobody(tmp_path: Path) -> None:
    """What is read is in memory of its own: no page of it can go."""
    path = tmp_path / "weights.safetensors"
    convparity.save(path, SPEC, WEIGHTS)
    _, weights = convparity.load(path)
    path.write_bytes(b"")
    assert all(np.array_equal(weights[name], WEIGHTS[name]) for name in WEIGHTS)


IN_PLACE = """
import pathlib, sys
path = pathlib.Path(sys.argv[1])
whole = path.read_bytes()
print("ready", flush=True)
while True:
    with path.open("r+b") as file:
        file.truncate(len(whole) // 3)
        file.seek(0)
        file.write(whole)
"""


def test_a_file_that_is_rewritten_while_it_is_read_is_whole_or_refused(tmp_path: Path) -> None:
    """By a program that writes in place, and truncates: a page of a mapped file would be gone."""
    path, spec = tmp_path / "weights.safetensors", convparity.Dense(500, 500)
    weights = init_weights(spec, 0)
    convparity.save(path, spec, weights)
    with subprocess.Popen([sys.executable, "-c", IN_PLACE, path], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        came = Counter[str]()
        while min(came["whole"], came["refused"]) < 5 and came.total() < 5000:
            try:
                loaded = convparity.load(path)[1]
            except WeightError:
                came["refused"] += 1
            else:
                came["whole"] += 1
                assert all(np.array_equal(loaded[name], weights[name]) for name in weights)
        writer.kill()
    assert came["refused"] > 0
