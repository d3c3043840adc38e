import subprocess
import sys

import pytest
import torch

import nasaudit
from nasaudit.errors import UnknownNameError


def test_import_is_light_and_all_is_exact():
    program = "import nasaudit, sys; assert not {'torch', 'numpy', 'pydantic'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
    assert sorted(nasaudit.__all__) == sorted(dir(nasaudit))
    for name in nasaudit.__all__:
        assert getattr(nasaudit, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = nasaudit.nothing


def test_load_architecture_takes_names_and_genotypes():
    network = nasaudit.load_architecture("PC-DARTS", classes=7)
    assert network(torch.rand(2, 3, 28, 28)).shape == (2, 7)
    same = nasaudit.load_architecture(network.spec.genotype, classes=7)
    assert same(torch.rand(1, 3, 28, 28)).shape == (1, 7)
    with pytest.raises(UnknownNameError) as caught:
        nasaudit.load_architecture("resnetz")
    assert "resnet" in caught.value.suggestions
