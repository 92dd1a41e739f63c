"""The notebooks define nothing, run from top to bottom, and know a right answer from a wrong one.

`python tests/test_notebooks.py` runs them at their real size and keeps what they show; names given
behind it choose some of them.
"""

import ast
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}

SMALL = {
    "01_recurrent_networks": {"distance": 12, "memory_epochs": 10, "heart_epochs": 4},
    "02_language_models": {
        "num_lines": 60,
        "char_epochs": 1,
        "other_epochs": 1,
        "num_scenes": 30,
        "word_epochs": 1,
        "steps": 3,
    },
    "03_image_captioning": {"num_pictures": 24, "epochs": 2, "hidden": 32},
    "04_results": {"num_pictures": 60, "epochs": 2, "hidden": 32},
    "05_your_own_photos": {"num_pictures": 60, "epochs": 2},
}
"""Sizes for the tests, which only ask whether everything runs."""

ANSWERS = {
    "01_recurrent_networks": [
        ("answer_1 = 7 * 11 + 11 * 11", "answer_1 = 7 * 11 + 11 * 11 + 11"),
        ("answer_2 = 209", "answer_2 = 4 * (7 * 11 + 11 * 11 + 11)"),
        ("answer_3 = 43", "answer_3 = math.ceil(math.log(0.01) / math.log(0.9))"),
        ("answer_4 = 0.95", "answer_4 = round(math.log(0.95 / 0.05), 2)"),
        ("answer_5 = prev_h.T @ dnext_h", "answer_5 = prev_h.T @ (dnext_h * (1 - next_h**2))"),
    ],
    "02_language_models": [
        ("answer_1 = 1.5", "answer_1 = round(math.exp(1.5), 1)"),
        ("answer_2 = (1.0, 2.0)", "answer_2 = (1.0, 0.5)"),
        (
            "answer_3 = 1000.0",
            "one, other = words_model.score(['a dog on the grass', 'the grass on a dog'])\n"
            "answer_3 = one.log_prob - other.log_prob",
        ),
        ("answer_4 = ('one-to-one', 'one-to-many')", "answer_4 = ('many-to-one', 'one-to-many')"),
        (
            "answer_5 = next_words(words_model, 'a red boat')[-1].probability",
            "expected = next_words(words_model, 'a red boat')\n"
            "answer_5 = math.prod(step.probability for step in expected)",
        ),
    ],
    "03_image_captioning": [
        ("answer_1 = 9 * math.log(100)", "answer_1 = 10 * math.log(100)"),
        ("answer_2 = (5, 13, V)", "answer_2 = (5, 12, V)"),
        ("answer_3 = 'A'", "answer_3 = 'B'"),
        (
            "answer_4 = -own_loss",
            "table = torch.tensor([vocabulary.encode(test[2].captions[1])])\n"
            "scores = decoder(features[[2]], table[:, :-1])\n"
            "probs = scores.log_softmax(dim=2).gather(2, table[:, 1:].unsqueeze(2))\n"
            "answer_4 = probs.sum().item()",
        ),
        (
            "answer_5 = math.exp(own_loss)",
            "answer_5 = math.exp(own_loss / mask.sum(1).float().mean())",
        ),
    ],
    "04_results": [
        ("answer_1 = 400", "answer_1 = 1600"),
        (
            "answer_2 = np.log(0.5 * 0.4 * 0.5 * 0.8)",
            "answer_2 = np.log(0.5 * 0.4 * 0.5 * 0.8) / 4",
        ),
        ("answer_3 = -1", "answer_3 = int((difference < 0).sum())"),
        ("answer_4 = 0", "answer_4 = 1"),
    ],
    "05_your_own_photos": [
        ("answer_1 = 1000", "answer_1 = 800"),
        ("answer_2 = (3, 3)", "answer_2 = (3, 2.2)"),
        ("answer_3 = 'test'", "answer_3 = 'both'"),
    ],
}
"""A wrong and a right answer to each exercise; the notebooks do not tell them."""


def read(file: Path) -> NotebookNode:
    return nbformat.read(file, as_version=4)


def tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def shown(cell: NotebookNode) -> str:
    """All text that a cell shows."""
    texts = [output.get("text", "") for output in cell.outputs]
    texts += [str(output.get("data", {}).get("text/plain", "")) for output in cell.outputs]
    return "".join(texts)


def execute(notebook: NotebookNode, folder: Path, **environment: str) -> None:
    """Run all cells in a new process, in that folder; an error in a cell is raised here."""
    client = NotebookClient(
        notebook,
        timeout=900,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    client.execute(
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "IPYTHONDIR": str(folder / "ipython"),
            "MPLBACKEND": "module://matplotlib_inline.backend_inline",
            **environment,
        }
    )


def statements(notebook: NotebookNode) -> Iterator[ast.AST]:
    for cell in code_cells(notebook):
        yield from ast.walk(ast.parse(cell.source))


@pytest.fixture(params=NOTEBOOKS, ids=lambda file: file.stem)
def file(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture
def notebook(file: Path) -> NotebookNode:
    return read(file)


def test_every_notebook_has_sizes_and_answers_for_its_test() -> None:
    assert [file.stem for file in NOTEBOOKS] == sorted(SMALL) == sorted(ANSWERS)


def test_it_runs_and_knows_right_answers_from_wrong_ones(
    file: Path, notebook: NotebookNode, tmp_path: Path
) -> None:
    cells, answers = [], iter(ANSWERS[file.stem])
    for cell in notebook.cells:
        cells.append(cell)
        if "parameters" in tags(cell):
            small = SMALL[file.stem]
            assert all(re.search(rf"^{name} = ", cell.source, re.MULTILINE) for name in small)
            cells.append(new_code_cell("\n".join(f"{k} = {v!r}" for k, v in small.items())))
        if "check" in tags(cell):
            for answer in next(answers):
                check = new_code_cell(cell.source, metadata={"tags": ["check"]})
                cells += [new_code_cell(answer), check]
    notebook.cells = cells
    execute(notebook, tmp_path, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    said = [shown(cell) for cell in notebook.cells if "check" in tags(cell)]
    assert said[0::3] == ["not answered yet\n"] * len(ANSWERS[file.stem])
    assert all(text.startswith("hint: ") for text in said[1::3]), said
    assert said[2::3] == ["right\n"] * len(ANSWERS[file.stem])
    assert "Warning" not in "".join(map(shown, code_cells(notebook)))


def test_it_opens_with_what_the_reader_will_be_able_to_do(notebook: NotebookNode) -> None:
    assert notebook.cells[0].cell_type == "markdown"
    assert notebook.cells[0].source.startswith("# ")
    assert "you will be able to" in notebook.cells[0].source


def test_it_ends_with_exercises_that_are_not_answered(notebook: NotebookNode) -> None:
    places = [i for i, cell in enumerate(notebook.cells) if "answer" in tags(cell)]
    assert 3 <= len(places) <= 5
    assert [notebook.cells[i].source for i in places] == [
        f"answer_{number} = None" for number in range(1, len(places) + 1)
    ]
    assert all("check" in tags(notebook.cells[i + 1]) for i in places)
    assert places[-1] + 2 == len(notebook.cells)


def test_it_defines_nothing_and_has_no_long_loops(notebook: NotebookNode) -> None:
    loops = 0
    for node in statements(notebook):
        assert not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if isinstance(node, ast.For | ast.While):
            loops += 1
            assert node.end_lineno - node.lineno < 20, ast.unparse(node)
    assert loops


def test_what_it_names_of_the_package_exists(notebook: NotebookNode) -> None:
    text = "".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    named = re.findall(r"captioner/[\w/]+(?:\.py)?", text)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
    links = re.findall(r"\]\((\w+\.ipynb)\)", text)
    assert [link for link in links if not (ROOT / "notebooks" / link).exists()] == []


def test_it_was_run_from_top_to_bottom(notebook: NotebookNode) -> None:
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == [*range(1, len(cells) + 1)]
    assert sum(bool(cell.outputs) for cell in cells) > len(cells) / 2
    assert not any(output.output_type == "error" for cell in cells for output in cell.outputs)


def test_each_figure_is_explained(notebook: NotebookNode) -> None:
    figures = [
        i
        for i, cell in enumerate(notebook.cells)
        if any("image/png" in output.get("data", {}) for output in cell.get("outputs", []))
    ]
    assert figures
    assert [i for i in figures if notebook.cells[i + 1].cell_type != "markdown"] == []


def test_it_tells_nothing_of_the_machine(file: Path, notebook: NotebookNode) -> None:
    assert notebook.metadata == METADATA
    assert all(cell.metadata.keys() <= {"tags"} for cell in notebook.cells)
    place = re.compile(r"(?<![\w.:/])/(home|root|tmp|work|mnt|usr|var|Users|opt)/\w")
    text = "".join(map(shown, code_cells(notebook)))
    assert not place.search(text), place.search(text)
    assert "Warning" not in text
    assert file.stat().st_size < 1_000_000


if __name__ == "__main__":
    for path in NOTEBOOKS:
        if not sys.argv[1:] or path.stem in sys.argv[1:]:
            print(path.name, flush=True)
            node = read(path)
            with tempfile.TemporaryDirectory() as place:
                execute(node, Path(place))
            node.metadata = NotebookNode(METADATA)
            nbformat.write(node, path)
