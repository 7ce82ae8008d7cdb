"""Messages and descriptors over real sockets, also where the kernel hands over several at once."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ddrsa.sweep.process.channel import Channel


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Channel]]:
    ours, its = map(Channel, socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM))
    yield ours, its
    ours.close()
    its.close()


def test_each_message_has_its_own_descriptors(ends: tuple[Channel, Channel], tmp_path: Path) -> None:
    ours, its = ends
    opened = [os.open(tmp_path / str(number), os.O_CREAT | os.O_RDWR) for number in range(3)]
    ours.send(do="nothing")
    ours.send(opened[0], do="one")
    ours.send(do="nothing")
    ours.send(opened[1], opened[2], do="two")
    received = [its.receive(10) for _ in range(4)]
    assert [content["do"] for content, _ in received] == ["nothing", "one", "nothing", "two"]
    came = [descriptor for _, descriptors in received for descriptor in descriptors]
    assert [len(descriptors) for _, descriptors in received] == [0, 1, 0, 2]
    for sent, descriptor in zip(opened, came, strict=True):
        assert os.path.sameopenfile(sent, descriptor)
        assert not os.get_inheritable(descriptor)
        os.close(sent)
        os.close(descriptor)


def test_half_a_message_is_none_yet(ends: tuple[Channel, Channel]) -> None:
    ours, its = ends
    line = b'{"do": "it", "descriptors": 0}\n'
    ours._socket.sendall(line[:9])
    with pytest.raises(TimeoutError):
        its.receive(0)
    ours._socket.sendall(line[9:] + line[:3])
    assert its.receive(10) == ({"do": "it"}, [])
    with pytest.raises(TimeoutError):
        its.receive(0)


def test_the_end_of_the_other_is_told_after_its_last_message(ends: tuple[Channel, Channel]) -> None:
    ours, its = ends
    ours.send(event="last")
    ours.close()
    assert its.receive(10)[0] == {"event": "last"}
    with pytest.raises(EOFError):
        its.receive(10)
    with pytest.raises(BrokenPipeError):
        its.send(do="it")


def test_descriptors_that_nobody_took_are_closed_with_it(ends: tuple[Channel, Channel]) -> None:
    ours, its = ends
    first, second = os.pipe(), os.pipe()
    ours.send(first[1], do="one")
    ours.send(second[1], do="two")
    os.close(first[1])
    os.close(second[1])
    _, (kept,) = its.receive(10)
    its.close()
    os.set_blocking(first[0], False)
    with pytest.raises(BlockingIOError):
        os.read(first[0], 1)  # `kept` can still write there
    assert os.read(second[0], 1) == b""
    for descriptor in (kept, first[0], second[0]):
        os.close(descriptor)
