"""What is read from a script's source, against what argparse and click themselves make of the same source."""

from __future__ import annotations

import argparse
import sys
import textwrap
from pathlib import Path

import click
import pytest

from ddrsa.scripts.interface.read import ScriptInterface, interface_of, read_interface
from ddrsa.scripts.interface.source import FLAG, REPEATED, VALUE, VALUES
from ddrsa.scripts.spelling import SHARED, find_option, output_option

ARGPARSE = {
    "plain": """
        import argparse
        parser = argparse.ArgumentParser(description="x")
        parser.add_argument("--epochs", "-e", type=int, default=5)
        parser.add_argument("--batch-size", type=int, default=32, help="n")
        parser.add_argument("--verbose", action="store_true")
        parser.add_argument("--lrs", nargs="+", type=float)
        parser.add_argument("--tag", action="append")
        parser.add_argument("--data", required=True)
        parser.add_argument("--cache", action=argparse.BooleanOptionalAction, default=True)
        args = parser.parse_args()
        """,
    "in helper functions and groups": """
        from argparse import ArgumentParser

        def training(group):
            group.add_argument("--num_epochs", type=int)
            group.add_argument("--k-folds", dest="folds", type=int)

        def build():
            p = ArgumentParser()
            training(p.add_argument_group("training"))
            data = p.add_argument_group("data")
            data.add_argument("--out-dir", default="results")
            either = p.add_mutually_exclusive_group()
            either.add_argument("--cpu", action="store_const", const=1)
            return p

        args = build().parse_args()
        """,
    "in loops over constants": """
        import argparse
        EXTRA = ["alpha", "beta_two"]
        DEFAULTS = {"gamma": 0.1, "delta": 0.2}
        parser = argparse.ArgumentParser()
        for name, default in (("--epochs", 5), ("--batch", 32)):
            parser.add_argument(name, type=int, default=default)
        for name in EXTRA:
            parser.add_argument("--" + name.replace("_", "-"), type=float)
        for key, value in DEFAULTS.items():
            parser.add_argument(f"--{key}", default=value)
        args = parser.parse_args()
        """,
}


def source(text: str) -> str:
    return textwrap.dedent(text)


def real_actions(text: str, monkeypatch: pytest.MonkeyPatch) -> list[argparse.Action]:
    """The actions of the parser that the script makes, but for --help."""
    made: list[argparse.ArgumentParser] = []
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", lambda self: made.append(self))
    exec(compile(source(text), "script", "exec"), {"__name__": "__main__"})
    (parser,) = made
    return [action for action in parser._actions if "--help" not in action.option_strings]


@pytest.mark.parametrize("text", ARGPARSE.values(), ids=ARGPARSE.keys())
def test_argparse_options_are_those_of_the_parser(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    interface = interface_of(source(text))
    assert interface.library == "argparse"
    assert interface.complete
    actions = {tuple(action.option_strings): action for action in real_actions(text, monkeypatch)}
    assert {(*option.names, *option.off_names) for option in interface.options} == set(actions)
    for option in interface.options:
        action = actions[(*option.names, *option.off_names)]
        assert option.required == action.required
        assert (option.takes == FLAG) == (action.nargs == 0)
        assert (option.takes == VALUES) == (action.nargs == "+")
        assert (option.takes == REPEATED) == isinstance(action, argparse._AppendAction)
        if option.default is not None:
            assert option.default == action.default


CLICK = """
    import click

    common = click.option("--seed", default=0)

    @click.command()
    @click.argument("data")
    @click.option("--num-epochs", "-n", "epochs", default=5, type=int)
    @click.option("--outdir", required=True)
    @click.option("--shuffle/--no-shuffle", default=True)
    @click.option("--quiet", is_flag=True)
    @click.option("--tag", multiple=True)
    @click.option("--size", nargs=2, type=int)
    @common
    def main(**options):
        print(options)

    if __name__ == "__main__":
        main()
    """


def test_click_options_are_those_of_the_command() -> None:
    interface = interface_of(source(CLICK))
    assert (interface.library, interface.complete, interface.positional) == ("click", True, ("data",))
    namespace: dict[str, object] = {"__name__": "script"}
    exec(compile(source(CLICK), "script", "exec"), namespace)
    command = namespace["main"]
    assert isinstance(command, click.Command)
    real = {tuple(each.opts): each for each in command.params if isinstance(each, click.Option)}
    assert {tuple(option.names) for option in interface.options} == set(real)
    for option in interface.options:
        parameter = real[option.names]
        assert option.off_names == tuple(parameter.secondary_opts)
        assert option.required == parameter.required
        assert (option.takes == FLAG) == parameter.is_flag
        assert (option.takes == REPEATED) == parameter.multiple
        assert (option.takes == VALUES) == (parameter.nargs > 1)
    epochs = find_option(interface.options, SHARED["epochs"])
    assert epochs is not None
    assert epochs.spelling == "--num-epochs"


TYPER = """
    from pathlib import Path
    from typing import Annotated, Optional
    import typer

    app = typer.Typer()

    @app.command()
    def main(
        data: Path,
        num_epochs: int = 5,
        batch_size: int = typer.Option(32, "--batch", "-b"),
        learning_rate: Annotated[float, typer.Option(help="x")] = 0.1,
        fold_count: Annotated[int, typer.Option("--folds")] = 5,
        verbose: bool = False,
        tag: Optional[list[str]] = None,
        out: Annotated[str, typer.Option()] = ...,
        more: str = typer.Argument("x"),
    ):
        print(num_epochs)

    app()
    """
TYPER_OPTIONS = {
    ("--num-epochs",): (VALUE, (), False),
    ("--batch", "-b"): (VALUE, (), False),
    ("--learning-rate",): (VALUE, (), False),
    ("--folds",): (VALUE, (), False),
    ("--verbose",): (FLAG, ("--no-verbose",), False),
    ("--tag",): (REPEATED, (), False),
    ("--out",): (VALUE, (), True),
}


def test_typer_options_are_the_parameters() -> None:
    interface = interface_of(source(TYPER))
    assert (interface.library, interface.complete, interface.positional) == ("typer", True, ("data",))
    found = {option.names: (option.takes, option.off_names, option.required) for option in interface.options}
    assert found == TYPER_OPTIONS


def test_typer_itself_agrees() -> None:
    typer = pytest.importorskip("typer")
    namespace: dict[str, object] = {"__name__": "script"}
    exec(compile(source(TYPER.replace("    app()\n", "")), "script", "exec"), namespace)
    command = typer.main.get_command(namespace["app"])
    real = {tuple(each.opts): tuple(each.secondary_opts) for each in command.params if each.param_type_name == "option"}
    ours = {names: off for names, (_, off, _) in TYPER_OPTIONS.items()}
    assert {names: off for names, off in real.items() if names in ours} == ours


def test_typer_run() -> None:
    text = "import typer\ndef train(epochs: int = 3): ...\ndef other(x: int = 1): ...\ntyper.run(train)"
    assert [option.names for option in interface_of(text).options] == [("--epochs",)]


INCOMPLETE = {
    "a parser of another file": "from common import get_parser\nargs = get_parser().parse_args()",
    "a parser that another file extends": (
        "import argparse, common\np = argparse.ArgumentParser()\np.add_argument('--a')\ncommon.add(p)\np.parse_args()"
    ),
    "parents of another file": (
        "import argparse\nfrom common import base\np = argparse.ArgumentParser(parents=[base])\np.parse_args()"
    ),
    "names that are computed": (
        "import argparse, os\np = argparse.ArgumentParser()\nfor n in os.listdir():\n    p.add_argument('--' + n)"
    ),
    "unknown arguments are accepted": "import argparse\np = argparse.ArgumentParser()\np.parse_known_args()",
    "sys.argv": "import sys\nprint(sys.argv[1])",
    "argv imported": "from sys import argv\nprint(argv)",
    "a main of another file": "from package.train import main\nmain()",
    "an options class of another file": "from options import TrainOptions\nopt = TrainOptions().parse()",
    "a class here of an options class elsewhere": (
        "from options import Base\nclass Mine(Base):\n    x = 1\nopt = Mine().parse()"
    ),
    "a decorator that has the arguments": "import pyrallis\n@pyrallis.wrap()\ndef main(cfg): ...\nmain()",
    "a decorator that runs it": "from sacred import Experiment\nex = Experiment()\n@ex.automain\ndef f(lr): ...",
    "a dispatcher": "import argh\ndef main(lr=0.1): ...\nargh.dispatch_command(main)",
    "OmegaConf": "from omegaconf import OmegaConf\nc = OmegaConf.from_cli()",
    "another library": "import fire\nfire.Fire(lambda epochs=3: epochs)",
    "a click decorator of another file": (
        "import click\nfrom common import options\n@click.command()\n@options\ndef main(): ...\nmain()"
    ),
    "several typer commands": (
        "import typer\napp = typer.Typer()\n@app.command()\ndef a(x: int = 1): ...\n@app.command()\ndef b(): ...\napp()"
    ),
}


@pytest.mark.parametrize("text", INCOMPLETE.values(), ids=INCOMPLETE.keys())
def test_what_cannot_be_read_is_said(text: str) -> None:
    assert not interface_of(text).complete


def test_options_of_subcommands_are_left_out() -> None:
    text = """
        import argparse
        parser = argparse.ArgumentParser()
        parser.add_argument("--config")
        commands = parser.add_subparsers()
        train = commands.add_parser("train")
        train.add_argument("--epochs")
        group = train.add_argument_group("x")
        group.add_argument("--folds")
        commands.add_parser("test").add_argument("--batch-size")
        """
    interface = interface_of(source(text))
    assert [option.spelling for option in interface.options] == ["--config"]
    assert not interface.complete
    text = """
        import click
        @click.group()
        @click.option("--config")
        def cli(): ...
        @cli.command()
        @click.option("--epochs")
        def train(epochs): ...
        cli()
        """
    interface = interface_of(source(text))
    assert [option.spelling for option in interface.options] == ["--config"]
    assert not interface.complete


def test_a_script_without_options_has_none() -> None:
    none = ScriptInterface(None, (), complete=True)
    assert interface_of("import json\nprint(json.dumps(1))") == none
    assert interface_of("import torch\n@torch.no_grad()\ndef main(): ...\nmain()") == none


def test_reading_neither_runs_nor_imports(tmp_path: Path) -> None:
    script = tmp_path / "train_x.py"
    script.write_text(f"import argparse, no_such_module\nopen({str(tmp_path / 'ran')!r}, 'w')\nimport argparse.no")
    read_interface(script)
    assert not (tmp_path / "ran").exists()
    assert "train_x" not in sys.modules


def test_a_changed_script_is_read_again(tmp_path: Path) -> None:
    script = tmp_path / "train_x.py"
    script.write_text("import argparse\np = argparse.ArgumentParser()\np.add_argument('--a')\np.parse_args()")
    assert [option.spelling for option in read_interface(script).options] == ["--a"]
    script.write_text(script.read_text().replace("--a", "--b"))
    assert [option.spelling for option in read_interface(script).options] == ["--b"]


@pytest.mark.parametrize("content", [b"def (:", b"print 'python 2'", b"\xff\xfe\x00", b"x = '\x00'"])
def test_a_script_that_is_not_python_may_accept_anything(tmp_path: Path, content: bytes) -> None:
    script = tmp_path / "train_x.py"
    script.write_bytes(content)
    assert not read_interface(script).complete


@pytest.mark.parametrize(
    ("option", "shared"),
    [
        *[(name, "epochs") for name in ("--epochs", "--num-epochs", "--num_epochs", "--n-epochs", "--max-epochs")],
        *[(name, "folds") for name in ("--folds", "--n-folds", "--num_folds", "--cv-folds", "--n_splits")],
        *[(name, "batch_size") for name in ("--batch", "--batch-size", "--batch_size", "--batchsize", "--bs")],
    ],
)
def test_spellings_of_shared_options(option: str, shared: str) -> None:
    text = f"import argparse\np = argparse.ArgumentParser()\np.add_argument('--lr')\np.add_argument({option!r})"
    options = interface_of(text).options
    for name, names in SHARED.items():
        found = find_option(options, names)
        assert (found.spelling if found else None) == (option if name == shared else None)


def test_a_short_option_counts_by_its_variable() -> None:
    text = "import argparse\np = argparse.ArgumentParser()\np.add_argument('-e', {})"
    found = find_option(interface_of(text.format("dest='epochs'")).options, SHARED["epochs"])
    assert found is not None
    assert found.spelling == "-e"
    assert find_option(interface_of(text.format("type=int")).options, SHARED["epochs"]) is None


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("p.add_argument('--output-dir')", "--output-dir"),
        ("p.add_argument('--outdir', default='x')", "--outdir"),
        ("p.add_argument('--out'); p.add_argument('--save-dir')", "--save-dir"),
        ("p.add_argument('--output', default='model.pt')", None),
        ("p.add_argument('--output', action='store_true')", None),
        ("p.add_argument('--lr')", None),
    ],
)
def test_the_option_for_the_output_directory(options: str, expected: str | None) -> None:
    found = output_option(interface_of(f"import argparse\np = argparse.ArgumentParser()\n{options}").options)
    assert (found.spelling if found else None) == expected
