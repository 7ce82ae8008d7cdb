"""Values that are handed to a script come out of its own parser as they were meant, or are refused."""

from __future__ import annotations

import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from ddrsa.errors import ConfigError
from ddrsa.scripts.check import check_job
from ddrsa.scripts.command import command_of
from ddrsa.scripts.listing import not_reached
from ddrsa.scripts.options import ScriptsOptions, ScriptsSchema, scripts_options


@pytest.fixture(autouse=True)
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "code"
    folder.mkdir()
    return folder


def options(job: str, **values: Any) -> ScriptsOptions:
    given: dict[str, Any] = {"root": "code", "job": job, "args": {}}
    config = OmegaConf.merge(OmegaConf.structured(ScriptsSchema), given | values)
    checked = scripts_options(OmegaConf.create({"scripts": config}))
    assert checked is not None
    return checked


def write(name: str, text: str) -> None:
    path = Path("code", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text))


def printed(job: str, **values: Any) -> str:
    """What the script prints when it gets what a run would give it."""
    line = command_of(options(job, **values), Path("run")).line
    return subprocess.run(line, check=True, capture_output=True, text=True).stdout.strip()


PARSER = """
    import argparse, ast, json
    p = argparse.ArgumentParser(prefix_chars="-+")
    p.add_argument("-lr", type=float)
    p.add_argument("-name")
    p.add_argument("+plus")
    p.add_argument("--by-int", type=int, default=1)
    p.add_argument("--by-yes", choices=["yes", "no"])
    p.add_argument("--by-bool", type=bool, default=True)
    p.add_argument("--by-json", type=json.loads)
    p.add_argument("--by-eval", type=ast.literal_eval)
    p.add_argument("--by-choice", choices=["true", "false"])
    p.add_argument("--by-text", default="False")
    p.add_argument("--no-cuda", dest="cuda", action="store_false")
    p.add_argument("--cache", action=argparse.BooleanOptionalAction)
    p.add_argument("--on", action="store_true", default=True)
    p.add_argument("-v", "--verbose", action="count", default=0)
    a = p.parse_args()
    print(repr(vars(a)))
    """


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ({"lr": -0.5, "name": "-x"}, {"lr": -0.5, "name": "-x"}),
        ({"plus": "-x", "by_yes": "no"}, {"plus": "-x", "by_yes": "no"}),
        ({"by_int": False}, {"by_int": 0}),
        ({"by_bool": False}, {"by_bool": False}),
        ({"by_bool": True}, {"by_bool": True}),
        ({"by_json": False}, {"by_json": False}),
        ({"by_eval": False}, {"by_eval": False}),
        ({"by_eval": True}, {"by_eval": True}),
        ({"by_choice": False}, {"by_choice": "false"}),
        ({"cuda": False}, {"cuda": False}),
        ({"cuda": True}, {"cuda": True}),
        ({"no_cuda": True}, {"cuda": False}),
        ({"no_cuda": False}, {"cuda": True}),
        ({"cache": False}, {"cache": False}),
        ({"no_cache": True}, {"cache": False}),
        ({"no_cache": False}, {"cache": True}),
        ({"verbose": 3}, {"verbose": 3}),
        ({"verbose": True}, {"verbose": 1}),
        ({"v": 2}, {"verbose": 2}),
    ],
)
def test_argparse_gets_what_was_meant(args: dict[str, Any], expected: dict[str, Any]) -> None:
    write("train_a.py", PARSER)
    got = eval(printed("a", args=args))
    assert {name: got[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"on": False}, "scripts.args.on=false: .* on by default, and no way to turn it off"),
        ({"by_yes": False}, "scripts.args.by_yes=false: --by-yes of code/train_a.py allows yes, no"),
        ({"cache": 3}, "scripts.args.cache=3: --cache takes no value"),
        ({"by_text": [1, 2]}, "takes one value for --by-text"),
    ],
)
def test_a_value_that_cannot_be_handed_over_is_refused(args: dict[str, Any], message: str) -> None:
    write("train_a.py", PARSER)
    with pytest.raises(ConfigError, match=message):
        check_job(options("a", args=args))


FOREIGN = {
    "tyro": (
        "import tyro\n",
        {"anneal-lr": False, "cuda": True, "lr": 0.1},
        ["--no-anneal-lr", "--cuda", "--lr", "0.1"],
    ),
    "fire": ("import fire\n", {"bf16": False, "sizes": [1, 2]}, ["--bf16=False", "--sizes=[1, 2]"]),
    "fire with texts": (
        "import fire\n",
        {"version": "1.10", "lr": 1.1, "name": "a-b", "mixed": [True, "1", None]},
        ["--version='1.10'", "--lr=1.1", "--name=a-b", "--mixed=[True, '1', None]"],
    ),
    "HfArgumentParser": ("from transformers import HfArgumentParser\n", {"fp16": False}, ["--fp16=False"]),
    "TrlParser": ("import trl\np = trl.TrlParser(())\n", {"fp16": True}, ["--fp16=True"]),
    "LightningCLI": (
        "from lightning.pytorch.cli import LightningCLI\nLightningCLI()\n",
        {"trainer.max_epochs": 3, "trainer.fast": False},
        ["--trainer.max_epochs=3", "--trainer.fast=False"],
    ),
    "absl": ("from absl import app, flags\n", {"debug": False}, ["--debug=False"]),
    "docopt": ("from docopt import docopt\n", {"fast": False, "slow": True}, ["--slow"]),
    "hydra": ("import hydra\n@hydra.main()\ndef f(c): ...\n", {"a.b": False, "c": [1, 2]}, ["a.b=False", "c=[1,2]"]),
}


@pytest.mark.parametrize(("text", "args", "expected"), FOREIGN.values(), ids=FOREIGN.keys())
def test_other_libraries_get_their_own_spelling(text: str, args: dict[str, Any], expected: list[str]) -> None:
    write("train_a.py", text)
    assert list(command_of(options("a", args=args), Path("run")).line[2:]) == expected


def test_torch_lightning_without_its_command_line_is_no_library() -> None:
    write("train_a.py", "import lightning\nlightning.seed_everything(1)\n")
    write("train_b.py", "import argparse\np = argparse.ArgumentParser()\np.add_argument('--x')\np.parse_args()\n")
    assert command_of(options("a", args={"x": 1}), Path("run")).line[2:] == ()


def test_a_job_s_own_arguments_win_over_the_shared_ones_and_that_is_said() -> None:
    write("train_a.py", "import argparse\np = argparse.ArgumentParser()\np.add_argument('--epochs')\np.parse_args()\n")
    Path("jobs.yaml").write_text(
        "- {id: long, script: code/train_a.py, args: {epochs: 200}}\n"
        "- {id: text, script: code/train_a.py, args: --epochs=100}\n"
        "- {id: free, script: code/train_a.py}\n"
    )
    jobs = [options(name, root=None, jobs="jobs.yaml", epochs=3) for name in ("long", "text", "free")]
    lines = [list(command_of(each, Path("run")).line[2:]) for each in jobs]
    assert lines == [["--epochs", "200"], ["--epochs=100"], ["--epochs", "3"]]
    assert not_reached(jobs) == ["scripts.epochs does not change 2 of 3 jobs, whose own arguments have it: long, text"]


def test_what_a_script_needs_and_does_not_get_is_named() -> None:
    write(
        "train_a.py",
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('data')\n"
        "p.add_argument('--lr', required=True)\np.add_argument('--outdir', required=True)\np.parse_args()\n",
    )
    with pytest.raises(ConfigError, match=r"needs --lr, which is not given: scripts\.args\.lr=VALUE"):
        check_job(options("a"))
    with pytest.raises(ConfigError, match="needs data without a name"):
        check_job(options("a", args={"lr": 1}))
    check_job(options("a", args={"lr": 1}, extra_args=["x.csv"]))


def test_help_is_read_where_the_source_cannot_be() -> None:
    write(
        "options.py",
        """
        import argparse
        def parse():
            p = argparse.ArgumentParser()
            p.add_argument("--num-epochs", type=int, help="how many")
            p.add_argument("--cache", action=argparse.BooleanOptionalAction, help="c")
            p.add_argument("--results", help="where")
            return p.parse_args()
        """,
    )
    write("train_a.py", "from options import parse\nprint(parse())\n")
    args = {"cache": False}
    with pytest.raises(ConfigError, match=r"read its --help by scripts\.read_help=true"):
        command_of(options("a", args=args), Path("run"))
    wanted = options("a", args=args, epochs=3, read_help=True, output_option="results")
    line = command_of(wanted, Path("run")).line[2:]
    assert line == ("--num-epochs", "3", "--no-cache", "--results", "run/output")
    with pytest.raises(ConfigError, match=r"scripts.args.nun_epochs: .* Did you mean scripts.args.num_epochs"):
        check_job(options("a", args={"nun_epochs": 1}, read_help=True))


def test_a_script_without_help_is_named_and_trains_nothing() -> None:
    write("train_a.py", "import sys\nprint(sys.argv)\nopen('big', 'wb').write(bytes(2**22))\n")
    with pytest.raises(ConfigError, match=r"train_a.py --help lists no option; it printed: .*"):
        command_of(options("a", read_help=True), Path("run"))
    assert not Path("big").exists()


def test_the_run_s_directories_can_stand_in_any_argument() -> None:
    write("train_a.py", "import sys\nprint(sys.argv[1:])\n")
    args = {"to": "{output_dir}/x", "in": "${hydra:runtime.output_dir}", "log": "{run_dir}/log"}
    command = command_of(options("a", args=args), Path("/sweep/run"))
    assert command.line[2:] == ("--to", "/sweep/run/output/x", "--in", "/sweep/run", "--log", "/sweep/run/log")
    assert not command.own_working_dir
    assert printed("a", args=args) == str(["--to", "run/output/x", "--in", "run", "--log", "run/log"])


def test_the_option_for_the_output_is_named_by_the_user() -> None:
    write("train_a.py", "import argparse\np = argparse.ArgumentParser()\np.add_argument('--outf')\np.parse_args()\n")
    write("train_b.py", "import tyro\n")
    assert command_of(options("a", output_option="--outf"), Path("run")).line[2:] == ("--outf", "run/output")
    assert command_of(options("b", output_option="outf"), Path("run")).line[2:] == ("--outf", "run/output")
    Path("jobs.yaml").write_text("- {script: code/train_a.py, id: own, output_option: --otf}")
    with pytest.raises(ConfigError, match=r"job own: output_option is --otf: code/train_a\.py has no such option"):
        check_job(options("own", jobs="jobs.yaml"))
    with pytest.raises(ConfigError, match=r"scripts\.output_option=--otf: no script has such an option"):
        check_job(options("a", output_option="--otf", include="train_a.py"))


# Scripts that print what they were given, by the libraries themselves.
REAL = {
    "tyro": """
        import tyro
        def main(anneal_lr: bool = True, cuda: bool = False, lr: float = 0.5, sizes: tuple[int, ...] = ()) -> None:
            print(repr({"anneal_lr": anneal_lr, "cuda": cuda, "lr": lr, "sizes": list(sizes)}))
        tyro.cli(main)
        """,
    "fire": """
        import fire
        def main(anneal_lr=True, cuda=False, lr=0.5, sizes=()):
            return repr({"anneal_lr": anneal_lr, "cuda": cuda, "lr": lr, "sizes": list(sizes)})
        fire.Fire(main)
        """,
    "jsonargparse": """
        from jsonargparse import CLI
        def main(anneal_lr: bool = True, cuda: bool = False, lr: float = 0.5, sizes: list[int] = []) -> None:
            print(repr({"anneal_lr": anneal_lr, "cuda": cuda, "lr": lr, "sizes": sizes}))
        CLI(main)
        """,
    "absl": """
        from absl import app, flags
        flags.DEFINE_bool("anneal_lr", True, "a")
        flags.DEFINE_bool("cuda", False, "c")
        flags.DEFINE_float("lr", 0.5, "l")
        flags.DEFINE_multi_integer("sizes", [], "s")
        def main(_):
            F = flags.FLAGS
            print(repr({"anneal_lr": F.anneal_lr, "cuda": F.cuda, "lr": F.lr, "sizes": F.sizes}))
        app.run(main)
        """,
}


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("read_help", [False, True])
def test_the_libraries_themselves_get_what_was_meant(name: str, read_help: bool) -> None:
    write("train_a.py", REAL[name])
    for anneal, cuda in ((False, True), (True, False)):
        args = {"anneal_lr": anneal, "cuda": cuda, "lr": 0.25, "sizes": [1, 2]}
        assert eval(printed("a", args=args, read_help=read_help)) == args


# A name for each; argparse and click read them from the source, the others are not read.
AWKWARD = ["a b", "x=y", "-foo", "--bar", "-1", "it's", 'a "b"', "a,b", "[1]", "$HOME *", "", "ü", "{x}", "\\n", "#"]
AWKWARD += ["1.10", "1e3", "None", "True", "false", "(1)", "'quoted'"]
NAMES = [f"v{number}" for number in range(len(AWKWARD))]
TAKES_TEXTS = {
    "argparse": "import argparse\np = argparse.ArgumentParser()\n"
    f"for name in {NAMES}:\n    p.add_argument('--' + name)\nprint(list(vars(p.parse_args()).values()))\n",
    "click": "import click\n@click.command()\n"
    + "".join(f"@click.option('--{name}')\n" for name in NAMES)
    + f"def main(**given): print([given[name] for name in {NAMES}])\nmain()\n",
    "tyro": f"import tyro\ndef main({', '.join(f'{name}: str' for name in NAMES)}):\n    print([{', '.join(NAMES)}])\n"
    "tyro.cli(main)\n",
    "fire": f"import fire\ndef main({', '.join(NAMES)}):\n    print([{', '.join(NAMES)}])\nfire.Fire(main)\n",
    "absl": "from absl import app, flags\n"
    + "".join(f"flags.DEFINE_string('{name}', None, 'h')\n" for name in NAMES)
    + f"app.run(lambda _: print([flags.FLAGS[name].value for name in {NAMES}]))\n",
    "hydra": "import hydra\n@hydra.main(config_path=None, version_base='1.3')\n"
    f"def main(c): print([c[name] for name in {NAMES}])\nmain()\n",
}


@pytest.mark.parametrize("name", TAKES_TEXTS)
def test_a_text_reaches_the_script_as_it_is(name: str) -> None:
    write("train_a.py", TAKES_TEXTS[name])
    plus = "+" if name == "hydra" else ""
    args = {f"{plus}{key}": value for key, value in zip(NAMES, AWKWARD, strict=True)}
    assert eval(printed("a", args=args)) == AWKWARD


@pytest.mark.parametrize(
    ("text", "args", "expected"),
    [
        (
            'from absl import flags\nflags.DEFINE_list("layers", [], "l")\nflags.DEFINE_bool("x", True, "x")\n'
            'flags.DEFINE_multi_string("gin_bindings", None, "b")\n',
            {"layers": ["a", "b"], "x": False, "gin_bindings": ["t.lr=1", "t.n='a b'"]},
            ["--layers", "a,b", "--nox", "--gin_bindings", "t.lr=1", "--gin_bindings", "t.n='a b'"],
        ),
        ("import sys\nprint(sys.argv)\n", {"sizes": [1, 2]}, ["--sizes", "1", "2"]),
    ],
)
def test_several_values_as_the_library_takes_them(text: str, args: dict[str, Any], expected: list[str]) -> None:
    write("train_a.py", text)
    assert list(command_of(options("a", args=args), Path("run")).line[2:]) == expected


@pytest.mark.parametrize("text", ["from absl import app, flags\n", "from docopt import docopt\n"])
def test_several_values_of_an_option_that_is_not_seen_are_not_guessed(text: str) -> None:
    write("train_a.py", text)
    with pytest.raises(ConfigError, match=r"scripts\.args\.sizes=.*how this one takes several values cannot be read"):
        check_job(options("a", args={"sizes": [1, 2]}))


def test_several_values_with_an_equals_sign_are_a_list_of_python() -> None:
    write("train_a.py", "import sys\nprint(sys.argv)\n")
    given = options("a", args={"sizes": [1, "b"]}, flags="equals")
    assert list(command_of(given, Path("run")).line[2:]) == ["--sizes=[1, 'b']"]


def test_the_shared_options_reach_flags_of_absl() -> None:
    write(
        "train_a.py",
        "import tensorflow as tf\nfrom absl import app\ntf.flags.DEFINE_integer('num_epochs', 3, 'e')\n",
    )
    assert list(command_of(options("a", epochs=5), Path("run")).line[2:]) == ["--num_epochs", "5"]


@pytest.mark.parametrize("text", [PARSER, "import sys\nprint(sys.argv)\n"])
def test_an_option_that_is_given_twice_is_refused(text: str) -> None:
    write("train_a.py", text)
    with pytest.raises(ConfigError, match=r"scripts\.args has by-text and by_text: they are one option of"):
        check_job(options("a", args={"by-text": "1", "by_text": "2"}))


def test_a_name_with_dots_is_one_option() -> None:
    write(
        "train_a.py",
        "import argparse\np = argparse.ArgumentParser()\np.add_argument('--opt.lr')\nprint(p.parse_args())\n",
    )
    write("train_b.py", "from lightning.pytorch.cli import LightningCLI\nLightningCLI()\n")
    args = {"opt": {"lr": 0.5}, "trainer.max_epochs": 3}
    assert list(command_of(options("a", args=args), Path("run")).line[2:]) == ["--opt.lr", "0.5"]
    assert list(command_of(options("b", args=args), Path("run")).line[2:]) == ["--opt.lr=0.5", "--trainer.max_epochs=3"]
