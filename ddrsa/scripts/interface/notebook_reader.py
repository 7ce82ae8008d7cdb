"""Reader of the parameters of a notebook, as papermill finds them."""

from __future__ import annotations

import ast
import json
from typing import Any

from ddrsa.scripts.interface.source import VALUE, Findings, Option

PAPERMILL = "papermill"


def read_notebook(text: bytes, found: Findings) -> None:
    """Add to `found` the names that the cell tagged `parameters` assigns. Raises ValueError where it is no notebook.

    Papermill sets any name that it is given, in a cell of its own; one that no parameter has would change nothing.
    """
    notebook: Any = json.loads(text)
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise ValueError("it has no cells")
    for cell in cells:
        if isinstance(cell, dict) and "parameters" in cell.get("metadata", {}).get("tags", []):
            code = cell.get("source", "")
            tree = ast.parse(code if isinstance(code, str) else "".join(code))
            for node in tree.body:
                targets = node.targets if isinstance(node, ast.Assign) else []
                if isinstance(node, ast.AnnAssign):
                    targets = [node.target]
                found.options += [
                    Option((each.id,), VALUE, destination=each.id) for each in targets if isinstance(each, ast.Name)
                ]
