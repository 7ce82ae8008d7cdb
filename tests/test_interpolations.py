from __future__ import annotations

import pytest

from ddrsa.interpolations import called_resolvers


@pytest.mark.parametrize(
    ("text", "called"),
    [
        ("plain: ${a.b} and ${.c}", set()),
        ("${oc.env:HOME}", {"oc.env"}),
        ("x${now:%Y}y${oc.decode:${oc.env:HOME}}", {"now", "oc.decode", "oc.env"}),
        ("${ oc.env:HOME}", {"oc.env"}),
        ("${${a}:HOME}", {"?"}),
        ("${oc.${b}:HOME}", {"?"}),
        (r"\${oc.env:HOME}", set()),
        ("${oc.env:HOME", {"?"}),
        ("${gpu_index:}", {"gpu_index"}),
    ],
)
def test_the_resolvers_of_a_text(text: str, called: set[str]) -> None:
    assert called_resolvers(text) == called
