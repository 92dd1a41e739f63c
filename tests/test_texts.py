"""Texts from names and paths."""

from pathlib import Path

import pytest

from captioner.errors import InputError
from captioner.texts import read_lines, read_texts


def test_captions_of_drawn_scenes_need_no_pictures() -> None:
    texts = read_texts("scenes")
    assert (len(texts.train), len(texts.val), len(texts.test)) == (8000, 1000, 1000)
    assert not texts.running
    assert texts == read_texts("scenes")
    assert all(line and line == line.strip() for line in texts.val)


def test_python_documents_itself() -> None:
    texts = read_texts("python-docs")
    assert texts.running
    assert len(texts.val) == len(texts.test) == len(texts.train) // 18
    assert any("lambda" in line for line in texts.train)


def test_the_splits_of_a_data_set_are_kept(coloured: Path) -> None:
    texts = read_texts(str(coloured))
    assert (len(texts.train), len(texts.val), len(texts.test)) == (48, 16, 16)
    assert "A red picture." in texts.train
    assert not texts.running
    assert read_texts(str(coloured), "running").running


def test_a_running_text_ends_with_val_and_test(tmp_path: Path) -> None:
    file = tmp_path / "text.txt"
    lines = [f"line {n}" for n in range(100)]
    file.write_bytes(("\ufeff" + "\r\n".join(lines) + "\r\n").encode())
    texts = read_texts(str(file))
    assert (*texts.train, *texts.val, *texts.test) == tuple(lines)
    assert (len(texts.val), len(texts.test)) == (5, 5)
    apart = read_texts(str(file), "apart")
    assert not apart.running
    assert apart.test != texts.test
    assert sorted((*apart.train, *apart.val, *apart.test)) == sorted(lines)
    assert apart.fingerprint() != texts.fingerprint()
    assert texts.fingerprint() == read_texts(str(file), "running").fingerprint()


def test_what_cannot_be_read(tmp_path: Path) -> None:
    for name, content, told in (
        ("empty.txt", b" \n\n", "empty"),
        ("latin.txt", "Stra\u00dfe".encode("latin-1"), "UTF-8"),
        ("short.txt", b"one line", "too short"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=told):
            read_texts(str(tmp_path / name))
    with pytest.raises(InputError, match="python-docs"):
        read_lines(tmp_path / "missing.txt")
    with pytest.raises(InputError, match="cannot be read"):
        read_lines(tmp_path)
