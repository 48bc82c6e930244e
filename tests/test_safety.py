"""No pickle, no remote code, no unchecked download, no command built as text, in any code or notebook."""

import json
from pathlib import Path

import pytest
from conftest import ROOT
from safety import findings

HIDDEN = {".venv", "artifacts", "executed", "tmp", "cache", ".git"}
PYTHON = [path for path in sorted(ROOT.rglob("*.py")) if not HIDDEN & set(path.relative_to(ROOT).parts)]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

BAD = {
    "import pickle": "import of pickle",
    "from dill import loads": "import of dill",
    "import torch\ntorch.load('a.pt')": "torch.load without weights_only",
    "import torch as t\nt.load('a.pt', weights_only=False)": "torch.load without weights_only",
    "from torch import load\nload('a.pt')": "torch.load without weights_only",
    "import joblib\njoblib.load('a')": "joblib.load",
    "import pandas as pd\npd.read_pickle('a')": "read_pickle",
    "import numpy as np\nnp.load('a.npy', allow_pickle=True)": "allow_pickle",
    "import numpy as np\nnp.load('a.npy', allow_pickle=flag)": "allow_pickle",
    "import yaml\nyaml.load(text)": "yaml.load",
    "from yaml import unsafe_load\nunsafe_load(text)": "unsafe_load",
    "from ruamel.yaml import YAML\nYAML(typ='unsafe')": "builds any object",
    "import subprocess\nsubprocess.run('ls')": "command as text",
    "import subprocess\nsubprocess.run(f'rm {name}', shell=True)": "with a shell",
    "import subprocess\nsubprocess.Popen(['ls'], shell=flag)": "with a shell",
    "import subprocess\ncommand = 'ls ' + name\nsubprocess.run(command)": "command as text",
    "import subprocess as s\ns.check_output('ls {}'.format(name))": "command as text",
    "import subprocess\nsubprocess.run(' '.join(parts))": "command as text",
    "import os\nos.system('ls')": "os.system",
    "eval(text)": "eval of text",
    "exec(text)": "exec of text",
    "import importlib\nimportlib.import_module(name)": "not named",
    "import requests": "unchecked download",
    "from urllib.request import urlopen": "unchecked download",
    "import urllib.request": "unchecked download",
    "AutoModel.from_pretrained(name)": "without a revision",
    "AutoModel.from_pretrained(name, **options)": "without a revision",
    "AutoModel.from_pretrained(name, revision=r, trust_remote_code=True)": "remote code",
    "options = {'trust_remote_code': flag}": "remote code",
    "datasets.load_dataset('owner/set')": "without a revision",
    "import torch\ntorch.hub.load('owner/model', 'net')": "remote code",
    "import subprocess\nsubprocess.run(['python', '-m', 'pip', 'install', name])": "pip called",
}
GOOD = (
    "import torch\ntorch.load('a.pt', weights_only=True)",
    "import numpy as np\nnp.load('a.npy')",
    "import subprocess\nsubprocess.run(['git', *arguments], shell=False)",
    "from ruamel.yaml import YAML\nYAML(typ='safe').load(text)",
    "import importlib\nimportlib.import_module(f'pipeline.experiments.{name}.data')",
    "AutoModel.from_pretrained(name, revision=revision, trust_remote_code=False)",
    "options = {'revision': r}\nAutoModel.from_pretrained(name, **options)",
    "datasets.load_dataset('json', data_files=paths)",
    "table.eval('gain / misfit')\nnetwork.eval()",
)


@pytest.mark.parametrize("source", BAD)
def test_what_must_not_stand_there_is_found(source: str) -> None:
    found = findings(source)
    assert found and any(BAD[source] in words for words in found), found


@pytest.mark.parametrize("source", GOOD)
def test_what_may_stand_there_is_left_alone(source: str) -> None:
    assert findings(source) == []


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: str(path.relative_to(ROOT)))
def test_code_is_safe(path: Path) -> None:
    assert findings(path.read_text(), is_test=path.parent == ROOT / "tests") == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_are_safe(path: Path) -> None:
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    for cell in cells:
        text = "".join(cell["source"])
        assert not [line for line in text.splitlines() if line.lstrip().startswith(("!", "%"))]
        assert findings(text) == []
