"""Reads Python without running it and names what must not stand there: pickles, remote code, unchecked downloads,
commands built as text."""

import ast
from collections.abc import Callable, Iterator

MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal"}
NETWORK = {"requests", "httpx", "aiohttp", "urllib3", "ftplib", "urllib.request", "http.client", "telnetlib"}
FORBIDDEN = {
    "joblib.load": "a pickle; write safetensors, parquet or JSON",
    "joblib.dump": "a pickle; write safetensors, parquet or JSON",
    "torch.hub.load": "remote code",
    "os.system": "a command as text; give subprocess.run a list",
    "os.popen": "a command as text; give subprocess.run a list",
    "subprocess.getoutput": "a command as text; give subprocess.run a list",
    "subprocess.getstatusoutput": "a command as text; give subprocess.run a list",
    "yaml.load": "builds any object; read with ruamel, typ safe",
    "yaml.unsafe_load": "builds any object; read with ruamel, typ safe",
    "yaml.full_load": "builds any object; read with ruamel, typ safe",
    "urllib.request.urlopen": "an unchecked download",
    "urllib.request.urlretrieve": "an unchecked download",
}
METHODS = {"read_pickle": "a pickle", "to_pickle": "a pickle", "unsafe_load": "builds any object"}
STARTERS = {"run", "Popen", "call", "check_call", "check_output"}
DOWNLOADS = {"from_pretrained", "hf_hub_download", "snapshot_download"}
LOCAL_FORMATS = {"json", "csv", "parquet", "text", "arrow"}


def findings(source: str, is_test: bool = False) -> list[str]:
    """Complaints as `line 3: ...`.  Tests may talk to servers they started, and load models that they saved."""
    tree = ast.parse(source)
    names = _imported(tree)
    checks = [_imports, _calls, _loads, _remote, _commands, _text_as_code]
    if not is_test:
        checks += [_network, _downloads]
    found = [(node.lineno, words) for check in checks for node, words in check(tree, names)]
    return [f"line {line}: {words}" for line, words in sorted(set(found))]


Names = dict[str, str]
Found = Iterator[tuple[ast.AST, str]]
Check = Callable[[ast.AST, Names], Found]


def _imports(tree: ast.AST, names: Names) -> Found:
    yield from ((node, f"import of {name}: a pickle") for node, name in _modules(tree) if name.split(".")[0] in MODULES)


def _network(tree: ast.AST, names: Names) -> Found:
    for node, name in _modules(tree):
        if name in NETWORK or name.split(".")[0] in NETWORK:
            yield node, f"import of {name}: an unchecked download; models and data have one door each, which checks"


def _calls(tree: ast.AST, names: Names) -> Found:
    for call in _called(tree):
        name = _dotted(call.func, names)
        if name in FORBIDDEN:
            yield call, f"{name}: {FORBIDDEN[name]}"
        elif name.rpartition(".")[2] in METHODS:
            yield call, f"{name}: {METHODS[name.rpartition('.')[2]]}"
        elif name.rpartition(".")[2] == "YAML" and _constant(_keyword(call, "typ")) == "unsafe":
            yield call, "YAML(typ='unsafe'): builds any object"


def _loads(tree: ast.AST, names: Names) -> Found:
    for call in _called(tree):
        name = _dotted(call.func, names)
        if name == "torch.load" and _constant(_keyword(call, "weights_only")) is not True:
            yield call, "torch.load without weights_only=True: a pickle"
        if name == "numpy.load" and not _off(_keyword(call, "allow_pickle")):
            yield call, "numpy.load with allow_pickle: a pickle"


def _remote(tree: ast.AST, names: Names) -> Found:
    for node in ast.walk(tree):
        pairs = []
        if isinstance(node, ast.keyword):
            pairs = [(node.arg, node.value)]
        elif isinstance(node, ast.Dict):
            pairs = [(_constant(key), value) for key, value in zip(node.keys, node.values, strict=True)]
        for key, value in pairs:
            if key == "trust_remote_code" and _constant(value) is not False:
                yield value, "trust_remote_code that is not plainly False: remote code"


def _commands(tree: ast.AST, names: Names) -> Found:
    texts = {target.id for target, value in _assigned(tree) if _is_text(value)}
    for call in _called(tree):
        owner, _, starter = _dotted(call.func, names).rpartition(".")
        if owner != "subprocess" or starter not in STARTERS:
            continue
        if not _off(_keyword(call, "shell")):
            yield call, "subprocess with a shell: give a list and no shell"
        command = call.args[0] if call.args else _keyword(call, "args")
        if command is None or _is_text(command) or (isinstance(command, ast.Name) and command.id in texts):
            yield call, "subprocess with a command as text: give a list"


def _text_as_code(tree: ast.AST, names: Names) -> Found:
    for call in _called(tree):
        name = _dotted(call.func, names)
        # A test may run a document's example, which it has to compile under that document's name.
        compiled = (
            bool(call.args) and isinstance(call.args[0], ast.Call) and _dotted(call.args[0].func, {}) == "compile"
        )
        if name == "eval" or (name == "exec" and not compiled):
            yield call, f"{name} of text"
        if name in ("importlib.import_module", "__import__") and not _own_module(call.args[0]):
            yield call, f"{name} of a module that is not named or not of this package"


def _downloads(tree: ast.AST, names: Names) -> Found:
    pinned = any(
        isinstance(node, ast.Dict) and "revision" in {_constant(key) for key in node.keys} for node in ast.walk(tree)
    )
    for call in _called(tree):
        name = _dotted(call.func, names).rpartition(".")[2]
        passed_on = pinned and any(keyword.arg is None for keyword in call.keywords)
        local = name == "load_dataset" and bool(call.args) and _constant(call.args[0]) in LOCAL_FORMATS
        wanted = name in DOWNLOADS or name == "load_dataset"
        if wanted and not local and not passed_on and _keyword(call, "revision") is None:
            yield call, f"{name} without a revision: an unchecked download"
        parts = {_constant(part) for argument in call.args for part in getattr(argument, "elts", [])}
        if "pip" in parts and parts & {"download", "install"}:
            yield call, "pip called with a fixed list: only pipeline/language/packaged.py fetches, and checks the hash"


def _modules(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node, node.module
            yield from ((node, f"{node.module}.{alias.name}") for alias in node.names)


def _imported(tree: ast.AST) -> Names:
    names: Names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _called(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _assigned(tree: ast.AST) -> Iterator[tuple[ast.Name, ast.expr]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            yield from ((target, node.value) for target in node.targets if isinstance(target, ast.Name))


def _dotted(node: ast.expr, names: Names) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value, names)}.{node.attr}"
    return names.get(node.id, node.id) if isinstance(node, ast.Name) else ""


def _keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def _constant(node: ast.expr | None) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def _off(node: ast.expr | None) -> bool:
    return node is None or _constant(node) is False


def _is_text(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp):
        return _is_text(node.left) or _is_text(node.right)
    joined = (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("join", "format")
    )
    return isinstance(node, ast.JoinedStr) or isinstance(_constant(node), str) or joined


def _own_module(node: ast.expr) -> bool:
    if isinstance(node, ast.JoinedStr):
        return str(_constant(node.values[0])).startswith("pipeline.")
    return isinstance(_constant(node), str)
