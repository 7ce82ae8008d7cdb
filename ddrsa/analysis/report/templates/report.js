(() => {
  const { columns, data, sortedBy, descending, pageRows } = JSON.parse(document.getElementById("run-data").textContent);

  function shortName(directory) {
    const name = directory.slice(directory.lastIndexOf("/") + 1);
    return /_([0-9a-f]{8})$/.exec(name)?.[1] ?? name;
  }

  function fill(element, column, value) {
    if (column.kind !== "link") {
      setText(element, String(value ?? "–"));
      return;
    }
    const link = document.createElement("a");
    link.href = (value.startsWith("/") ? "file://" : "") + value.split("/").map(encodeURIComponent).join("/") + "/";
    link.title = value;
    link.textContent = shortName(value);
    element.replaceChildren(link);
  }

  const table = runTable({ pageRows, sortedBy: sortedBy === null ? null : columns[sortedBy].key, descending, fill });
  table.set(columns, data);
  document.getElementById("filters").hidden = false;
  document.getElementById("no-script").hidden = true;
})();
