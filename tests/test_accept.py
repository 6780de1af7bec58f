"""After a refactor, the code is declared equal to that of a commit: for each script, for the engine and for the trainings."""

from __future__ import annotations

import pytest

from ethos import accept, fingerprint
from ethos.errors import BadInput


def test_every_script_the_engine_and_the_trainings_are_declared_for():
    found = accept.versions()
    assert {"engine", "training", "scripts/rank_responses.py", "scripts/prepare_model.py"} <= set(found)
    assert all(found.values())


def test_only_consumers_whose_code_differs_are_declared():
    earlier = {"a": {"x.py": "1", "gone.py": "1"}, "b": {"x.py": "1"}}
    now = {"a": {"x.py": "2", "came.py": "1"}, "b": {"x.py": "1"}, "new": {"x.py": "2"}}
    equal = accept.declare_equal(now, earlier)
    assert list(equal) == ["a"]
    assert equal["a"]["was"] == {"came.py": None, "gone.py": "1", "x.py": "1"}


def test_what_is_declared_is_what_a_version_then_stands_for(monkeypatch):
    earlier, now = {"a": {"x.py": "1", "gone.py": "1"}}, {"a": {"x.py": "2", "came.py": "1"}}
    monkeypatch.setattr(fingerprint, "_accepted", lambda: accept.declare_equal(now, earlier))
    assert fingerprint.stands_for("a", now["a"]) == earlier["a"]
    assert fingerprint.stands_for("a", now["a"] | {"x.py": "3"}) == now["a"] | {"x.py": "3"}
    assert fingerprint.stands_for("b", now["a"]) == now["a"]


def test_a_commit_that_does_not_exist_is_refused_in_one_line():
    with pytest.raises(BadInput, match="--since nowhere.*name a commit") as refused:
        accept.accept("nowhere")
    assert "\n" not in str(refused.value)
