"""PyTorch's CPU tensors in Tenure's pools, against PyTorch itself."""
import functools
import json
import pathlib
import subprocess
import sys

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed for this Python; `./dev torch` installs "
                                    "Debian's and runs this")
import tenure.torch  # noqa: E402

try:
    tenure.torch._load(None)
except ImportError as error:
    pytest.skip(str(error), allow_module_level=True)


@functools.cache
def train(how):
    program = pathlib.Path(__file__).with_name("torch_training.py")
    ran = subprocess.run([sys.executable, "-B", program, how], capture_output=True, text=True,
                         timeout=60)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_losses_are_those_of_the_default_allocator_to_the_last_bit():
    losses = train("tenure")["losses"]
    assert losses == train("default")["losses"]
    assert float.fromhex(losses[-1]) < float.fromhex(losses[0])


def test_the_bytes_went_through_the_pool_and_came_back():
    report = train("tenure")
    assert report["client"] == ["torch", "host"]
    assert report["allocations"] > 1000
    assert report["allocated"] > 10 << 20
    assert report["peak"] > 1 << 20
    assert report["left"] == 0


def test_a_limit_refuses_pytorch_by_its_name_and_nobody_else():
    report = train("tenure")
    assert report["held"] == 4 << 20
    assert 'client "torch" may hold 8 MiB' in report["refused"]
    assert report["others"] == 4 << 20


def test_it_is_installed_once():
    assert "once a process" in train("tenure")["twice"]


def test_a_forked_child_has_tensors_of_its_own():
    assert train("tenure")["child"] == ["100000", 0]


def test_tensors_outlive_the_collector():
    report = train("tenure")
    assert report["closed"] == "1"
    assert report["after"] == 2.0 ** 20
