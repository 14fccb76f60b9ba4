"""Which code counts that a definition names: small packages, in which each piece has a number."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.running import code_digests, definitions

# A module `stage` whose `run` is the start, beside it `tools` and what a case adds; then the
# numbers that count.
TOOLS = "def one(): return 2\ndef two(): return one() + 3\ndef three(): return 4\n"
FROM_TOOLS = "from .tools import two\n"
CASES = {
    # What is named, and no more
    "a function": (f"{FROM_TOOLS}def run(): return two() + 1", TOOLS, "123"),
    "a function of a module": (
        "from . import tools\ndef run(): return tools.one() + 1",
        TOOLS,
        "12",
    ),
    "another name": ("from .tools import one as it\ndef run(): return it() + 1", TOOLS, "12"),
    "a name that nobody asks for": (f"{FROM_TOOLS}def run(): return 1", TOOLS, "1"),
    "a constant": ("from .tools import A\ndef run(): return A + 1", "A = 2\nB = 3", "12"),
    "two constants": ("from .tools import A\ndef run(): return A + 1", "A, B = 2, 3", "123"),
    "a constant of others": ("from .tools import B\ndef run(): return B + 1", "A = 2\nB = A", "12"),
    "a class, whole": (
        "from .tools import A\ndef run(): return A.f(1)",
        "class A:\n def f(self): return 2\n def g(self): return 3\nclass B: x = 4",
        "123",
    ),
    "a class above it": (
        "from .tools import A\ndef run(): return A(1)",
        "class B:\n def f(self): return 2\nclass A(B): x = 3",
        "123",
    ),
    "the type of a field": (
        "from .tools import A\ndef run(): return A(1)",
        "class B: x = 2\nclass A:\n b: B",
        "12",
    ),
    "the value of an argument": ("def f(): return 2\ndef run(x=f): return 1", "", "12"),
    "an argument of the same name": ("def f(): return 2\ndef run(f): return f(1)", "", "1"),
    "both": ("def f(): return 2\ndef run(f=f): return f(1)", "", "12"),
    "a type that nobody reads": ("class A: x = 2\ndef run(x: A) -> A: return 1", "", "1"),
    "a type that a decorator may read": (
        "from functools import cache\nclass A: x = 2\n@cache\ndef run(x: A): return 1",
        "",
        "12",
    ),
    "a decorator": ("def f(x): return 2\n@f\ndef run(): return 1", "", "12"),
    "inside a function": (
        "def f(): return 2\ndef run():\n def g(): return [f() for _ in range(1)]\n return g",
        "",
        "12",
    ),
    "an import inside a function": (
        "def run():\n from .tools import one\n return one() + 1",
        f"{TOOLS}print(5)",
        "125",
    ),
    "for type checkers": (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n from .tools import one\n"
        "def run(x: 'one'): return 1",
        f"{TOOLS}print(5)",
        "1",
    ),
    "a re-export": (
        "from .room import one\ndef run(): return one() + 1",
        {"room/__init__": "from .inner import one as one", "room/inner": TOOLS},
        "12",
    ),
    "a module in a folder": (
        "from . import room\ndef run(): return room.inner.one() + 1",
        {"room/__init__": "print(5)", "room/inner": TOOLS},
        "125",
    ),
    "a function above a module of its name": (
        "from .room import inner\ndef run(): return inner() + 1",
        {"room/__init__": "from .inner import inner", "room/inner": "def inner(): return 2"},
        "12",
    ),
    # What importing does
    "an effect": (f"{FROM_TOOLS}def run(): return 1", f"{TOOLS}print(5)", "15"),
    "an effect of a function": (
        f"{FROM_TOOLS}def run(): return 1",
        f"{TOOLS}def f(): return 5\nf()",
        "15",
    ),
    "an effect further on": (
        "from . import tools\ndef run(): return 1",
        {"tools": "from . import more", "more": "print(5)\nA = 6"},
        "15",
    ),
    "an effect of a folder": (
        "from .room.inner import one\ndef run(): return one() + 1",
        {"room/__init__": "print(5)", "room/inner": TOOLS},
        "125",
    ),
    "a call that may do more": (
        f"{FROM_TOOLS}def run(): return 1",
        "from lib import f\nA = f(5)\ndef two(): return 3",
        "15",
    ),
    "a call that makes a value": (
        f"{FROM_TOOLS}def run(): return 1",
        "import re\nA = re.compile('5')\ndef two(): return 3",
        "1",
    ),
    "a decorator that may do more": (
        f"{FROM_TOOLS}def run(): return 1",
        "def f(x): return 2\n@f\ndef two(): return 3",
        "123",
    ),
    "a class that may do more": (
        f"{FROM_TOOLS}def run(): return 1",
        "def f(x): return 2\nclass A:\n x = f(3)\ndef two(): return 4",
        "123",
    ),
    "what is set elsewhere": (
        f"{FROM_TOOLS}def run(): return 1",
        "A = {}\nA['b'] = 2\ndef two(): return 3",
        "12",
    ),
    "what is set twice": (f"{FROM_TOOLS}def run(): return 1", "A = 2\nA = 3\ntwo = 4", "123"),
    # What cannot be followed
    "what is defined by a condition": (
        "from .tools import f\ndef run(): return f() + 1",
        "try:\n from lib import f\nexcept ImportError:\n def f(): return 2\nA = 3",
        "123",
    ),
    "a module that is passed on": (
        "from . import tools\ndef run(): return f(tools, 1)",
        TOOLS,
        "1234",
    ),
    "an attribute by a name that is computed": (
        "from . import tools\ndef run(): return getattr(tools, 'o' + 'ne')() + 1",
        TOOLS,
        "1234",
    ),
    "an attribute that is not seen": (
        "from . import tools\ndef run(): return tools.x + 1",
        TOOLS,
        "1234",
    ),
    "every name": ("from .tools import *\ndef run(): return one() + 1", TOOLS, "1234"),
    "every name, handed on": (
        "from . import tools\ndef run(): return tools.one() + 1",
        {"tools": "from .more import *", "more": TOOLS},
        "1234",
    ),
    "all that there is": (
        "def one(): return 2\ndef run(): return globals()['one']() + 1",
        "",
        "12",
    ),
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A function that writes modules; another that answers the digest of what they run."""
    monkeypatch.setattr(definitions, "SOURCE", tmp_path)
    monkeypatch.setattr(code_digests, "STARTS", {"train": {"stage": "run"}})
    (tmp_path / "constraints.txt").touch()
    (tmp_path / "__init__.py").touch()

    def digest(modules):
        for name, text in modules.items():
            file = tmp_path / f"{name}.py"
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        definitions._read.cache_clear()
        return code_digests.stage_digests("any", tmp_path)["train"]

    return digest


@pytest.mark.parametrize("case", CASES)
def test_what_counts(case, package):
    stage, others, counted = CASES[case]
    modules = {"stage": stage, **(others if isinstance(others, dict) else {"tools": others})}
    before = package(modules)
    numbers = re.findall(r"\d", "".join(modules.values()))
    assert len(numbers) == len(set(numbers))
    changed = {
        number
        for number in numbers
        if package({name: text.replace(number, "9") for name, text in modules.items()}) != before
    }
    assert changed == set(counted)


LIBRARIES = {
    "used": ("import numpy as np\ndef run(): return np.pi", {"numpy"}),
    "of what is not run": ("import numpy as np\nA = np.pi\ndef run(): return 1", set()),
    "a part of it": ("from numpy.linalg import norm\ndef run(): return norm(1)", {"numpy"}),
    "inside a function": ("def run():\n import numpy as np", {"numpy"}),
    "inside another": ("def other():\n import numpy as np\ndef run(): return 1", set()),
    "every name of it": ("from numpy import *\ndef run(): return 1", {"numpy"}),
    "named by a type that nobody reads": ("import numpy\ndef run(x: numpy.array): return 1", set()),
    "of what importing runs": ("import numpy\nnumpy.seterr(all='raise')\ndef run(): 1", {"numpy"}),
}


@pytest.mark.parametrize("case", LIBRARIES)
def test_which_libraries_count(case, package):
    stage, libraries = LIBRARIES[case]
    package({"stage": stage})
    _, found = code_digests.reach("any", "train")
    assert found == libraries


def test_names_that_change_places_count(package):
    tools = "def f(): return 1\ndef g(): return 2"
    stage = "from .tools import {} as a, {} as b\ndef run(): return a() - b()"
    before = package({"stage": stage.format("f", "g"), "tools": tools})
    assert package({"stage": stage.format("g", "f")}) != before


def test_the_order_of_effects_counts_and_of_definitions_not(package):
    before = package({"stage": "A = 1\ndef run(): return A\nprint(2)\nprint(3)"})
    assert package({"stage": "def run(): return A\nprint(2)\nA = 1\nprint(3)"}) == before
    assert package({"stage": "A = 1\ndef run(): return A\nprint(3)\nprint(2)"}) != before


def test_digests_are_the_same_each_time():
    """Sets have another order in each process."""
    script = "from penstock.running.code_digests import stage_digests as f\n"
    script += "from pathlib import Path\nprint(f('mnist', Path()))"
    found = {
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=Path(__file__).parent.parent,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in "1234"
    }
    assert len(found) == 1
