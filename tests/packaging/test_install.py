"""What a user installs: the wheel and the sdist carry all they need, and importing costs little."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "transformers", "sentence_transformers", "faiss", "numba", "scipy", "tantivy", "ray", "pandas")


def build(kind: str, source: Path, target: Path) -> Path:
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "--outdir", str(target), str(source)],
        check=True,
        capture_output=True,
        timeout=300,
    )
    (made,) = target.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return made


def install(wheel: Path, target: Path) -> dict[str, str]:
    """Put a wheel's own files into a folder that wins over the checkout; its dependencies are the test's."""
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target), str(wheel)],
        check=True,
        capture_output=True,
        timeout=300,
    )
    return {**os.environ, "PYTHONPATH": str(target)}


def run_demo(env: dict[str, str], cwd: Path) -> str:
    where = subprocess.run(
        [sys.executable, "-c", "import xsearch; print(xsearch.__file__)"],
        cwd=cwd, env=env, capture_output=True, text=True, check=True,
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "xsearch", "demo"], cwd=cwd, env=env, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    assert "documents in" in done.stderr
    assert "presidential elections in Iran" in done.stdout
    return where.stdout.strip()


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    return build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


def test_the_wheel_made_from_the_sdist_runs_the_demo(sdist, tmp_path):
    subprocess.run(["tar", "xzf", str(sdist), "-C", str(tmp_path)], check=True)
    (unpacked,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert (unpacked / "tests").is_dir()
    wheel = build("wheel", unpacked, tmp_path / "dist")
    where = run_demo(install(wheel, tmp_path / "site"), tmp_path)
    assert Path(where).is_relative_to(tmp_path)


def test_the_wheel_of_the_checkout_runs_the_demo(tmp_path):
    wheel = build("wheel", ROOT, tmp_path / "dist")
    names = zipfile.ZipFile(wheel).namelist()
    assert "xsearch/py.typed" in names
    assert any(name.startswith("xsearch/_data/encoders/") and name.endswith(".toml") for name in names)
    assert "xsearch/_data/indexes/hybrid.toml" in names
    assert "xsearch/_data/eval/collections/demo/docs.jsonl" in names
    assert not any(name.startswith(("tests/", "xsearch/tests")) for name in names)
    where = run_demo(install(wheel, tmp_path / "site"), tmp_path)
    assert Path(where).is_relative_to(tmp_path)


def test_the_editable_install_runs_the_demo(tmp_path):
    where = run_demo(dict(os.environ), tmp_path)
    assert Path(where).is_relative_to(ROOT)


@pytest.mark.parametrize(
    "code", ["import xsearch", "import sys; sys.argv = ['xsearch', '--help']; import xsearch.cli.app"]
)
def test_importing_loads_nothing_heavy(code):
    script = f"{code}\nimport sys\nprint(sorted(m for m in {(*HEAVY, 'numpy')!r} if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_query_on_a_small_index_loads_no_faiss(tmp_path):
    script = (
        "import sys, xsearch\n"
        "i = xsearch.create('idx')\n"
        "with i.writer() as w: w.add(xsearch.Document('a', 'Ein Fluss.'))\n"
        "assert i.search('river')\n"
        f"print(sorted(m for m in {tuple(m for m in HEAVY if m != 'tantivy')!r} if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == "[]"


def test_the_public_names():
    import xsearch

    assert xsearch.__all__ == sorted(xsearch.__all__, key=lambda name: (name.islower(), name))
    for name in xsearch.__all__:
        assert getattr(xsearch, name) is not None
    with pytest.raises(AttributeError):
        _ = xsearch.nothing
