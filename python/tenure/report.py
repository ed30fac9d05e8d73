"""A page of what `write_report` wrote: one HTML file, that needs no network.

    python -m tenure.report FILE [-o PAGE]

Needs Plotly, which is put into the page: `pip install 'tenure[report]'`.
"""
import argparse
import collections
import html
import json
import os
import pathlib
import sys

__all__ = ["load", "page", "write_page"]

_MAP_COLUMNS = 96
_MAP_ROWS = 48
_ROWS_SHOWN = 25
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_LONG = " class='long'"
_COLOURS = ("#2f6f9f", "#c2603c", "#4f8a4f", "#8a5a9e", "#a08a2f", "#5b6b7b")


def load(path: str | os.PathLike) -> dict:
    """A report. Raises ValueError where the file is none, or of a newer version."""
    try:
        report = json.loads(pathlib.Path(path).read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{os.fspath(path)}: not JSON: {error}") from error
    if not isinstance(report, dict) or report.get("format") != "tenure report":
        raise ValueError(f"{os.fspath(path)}: not a report of Tenure's; write_report makes them")
    if report["version"] != 1:
        raise ValueError(f"{os.fspath(path)}: a report of version {report['version']}; "
                         "this package reads version 1")
    return report


def write_page(report: dict, path: str | os.PathLike) -> None:
    """Writes the page of a report. Raises ImportError without Plotly, OSError where it cannot write."""
    path = pathlib.Path(path)
    part = path.with_name(path.name + ".part")
    part.write_text(page(report), encoding="utf-8")
    part.replace(path)


def page(report: dict) -> str:
    """The page as text."""
    from plotly import offline

    title = html.escape(report["title"] or "Tenure: what this runtime did")
    sections = [_summary(report), _memory_over_time(report), _pauses(report), _maps(report),
                _sites(report), _growing(report), _types(report), _holders(report),
                _decisions(report), _configuration(report)]
    figures = {}
    body = []
    for name, heading, content, figure in filter(None, sections):
        body.append(f'<section id="{name}"><h2>{heading}</h2>')
        if figure is not None:
            figures[name] = figure
            body.append(f'<div class="figure" id="figure-{name}"></div>')
        body.append(content + "</section>")
    return _PAGE.format(title=title, style=_STYLE, plotly=offline.get_plotlyjs(), body="\n".join(body),
                        figures=json.dumps(figures).replace("</", "<\\/"), script=_SCRIPT)


def bytes_text(count: float) -> str:
    """1.5 GiB."""
    unit = 0
    while abs(count) >= 1024 and unit < len(_UNITS) - 1:
        count /= 1024
        unit += 1
    return f"{count:.3g} {_UNITS[unit]}" if unit else f"{count:.0f} B"


def duration_text(nanoseconds: float) -> str:
    """1.2 ms."""
    for limit, scale, unit in ((1e3, 1, "ns"), (1e6, 1e3, "us"), (1e9, 1e6, "ms")):
        if nanoseconds < limit:
            return f"{nanoseconds / scale:.3g} {unit}"
    return f"{nanoseconds / 1e9:.3g} s"


def _table(head, rows):
    if not rows:
        return "<p>None.</p>"
    lines = ["<div class='wide'><table><thead><tr>",
             *(f"<th>{html.escape(cell)}</th>" for cell in head), "</tr></thead><tbody>"]
    for row in rows:
        cells = (f"<td{_LONG if len(str(cell)) > 30 else ''}>{html.escape(str(cell))}</td>" for cell in row)
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return "".join(lines) + "</tbody></table></div>"


def _held(held):
    return held["heap"] + sum(held["payloads"].values())


def _layout(**more):
    return {"margin": {"l": 60, "r": 20, "t": 10, "b": 45}, "height": 340, "font": {"size": 12},
            "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)",
            "legend": {"orientation": "h", "y": 1.12}, **more}


def _summary(report):
    collections_, heap = report["collections"], report["heap_use"]
    facts = [("heap", f"{bytes_text(heap['used'])} of {bytes_text(heap['limit'])}"),
             ("collections", f"{collections_['all']} ({collections_['full']} full)"),
             ("pause p99", duration_text(collections_["pauses"]["p99_ns"])),
             ("longest pause", duration_text(collections_["pauses"]["max_ns"]))]
    for pool in report["pools"]:
        facts.append((f"{pool['kind']} pool on {pool['backend']}",
                      f"{bytes_text(pool['live'])} live, {bytes_text(pool['reserved'])} reserved"))
    if "heap" in report:
        facts.append(("reachable", f"{report['heap']['total']['objects']:,} objects, "
                                   f"{bytes_text(_held(report['heap']['total']))}"))
    cards = "".join(f"<div><b>{html.escape(value)}</b>{html.escape(name)}</div>"
                    for name, value in facts)
    pools = _table(
        ["pool", "live", "reserved", "peak live", "peak reserved", "largest hole", "fragmentation",
         "leases", "planned", "growths", "refusals"],
        [(f"{p['kind']} on {p['backend']}", *(bytes_text(p[k]) for k in
          ("live", "reserved", "peak_live", "peak_reserved", "largest_free")),
          f"{p['fragmentation']:.3f}", f"{p['leases']:,}", f"{p['planned_leases']:,}",
          f"{p['growths']:,}", f"{p['refusals']:,}") for p in report["pools"]])
    generations = [g for g in heap["by_generation"]]
    while len(generations) > 1 and generations[-1] == 0:
        generations.pop()
    young = _table(["generation", "bytes"], [(k, bytes_text(g)) for k, g in enumerate(generations)])
    return "summary", "Summary", f"<div class='cards'>{cards}</div>{pools}{young}", None


def _memory_over_time(report):
    profile = report.get("profile")
    traces = []
    if profile and profile["timeline"]:
        begin = profile["since_ns"] / 1e9
        live, times, levels = 0.0, [0.0], [0.0]
        for row in profile["timeline"]:
            live += row["allocated"] - row["freed"]
            times.append(min(row["second"] + 1, profile["taken_ns"] / 1e9) - begin)
            levels.append(max(live, 0.0))
        traces.append({"type": "scatter", "mode": "lines", "name": "live, from samples", "x": times,
                       "y": levels, "line": {"color": _COLOURS[0]}, "fill": "tozeroy"})
    by_memory = collections.defaultdict(lambda: ([], []))
    for event in report.get("events", []):
        if event["kind"] == "reserved":
            times, levels = by_memory[event["memory"]]
            times.append((event["time_ns"] - profile["since_ns"]) / 1e9)
            levels.append(event["amount"])
    for colour, (memory, (times, levels)) in zip(_COLOURS[1:] * 2, sorted(by_memory.items())):
        times.append((profile["taken_ns"] - profile["since_ns"]) / 1e9)
        levels.append(levels[-1])
        traces.append({"type": "scatter", "mode": "lines", "name": f"{memory} reserved", "x": times,
                       "y": levels, "line": {"color": colour, "shape": "hv"}})
    if not traces:
        return ("memory", "Memory over time",
                "<p>Nothing was watched: open the runtime with profile=detailed.</p>", None)
    return ("memory", "Memory over time", "", {
        "data": traces, "layout": _layout(
            xaxis={"title": {"text": "seconds"}, "rangemode": "tozero"},
            yaxis={"title": {"text": "bytes"}, "tickformat": "~s", "rangemode": "tozero"})})


def _pauses(report):
    rows = [(name, f"{d['count']:,}", *(duration_text(d[k]) for k in
             ("p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns", "total_ns")))
            for name, d in (("pauses", report["collections"]["pauses"]),
                            ("until all stood still", report["collections"]["to_safepoint"]),
                            ("slices of marking", report["collections"]["slices"])) if d["count"]]
    content = _table(["", "count", "p50", "p90", "p99", "p99.9", "longest", "in all"], rows)
    triggers = {k: v for k, v in report["collections"]["by_trigger"].items() if v}
    content += _table(["trigger", "collections"], sorted(triggers.items(), key=lambda r: -r[1]))
    events = [e for e in report.get("events", []) if e["kind"] == "collection"]
    if not events:
        return "pauses", "Pauses", content, None
    since = report["profile"]["since_ns"]
    by_depth = collections.defaultdict(list)
    for event in events:
        by_depth[event["generation"]].append(event)
    traces = [{"type": "scatter", "mode": "markers", "marker": {"color": colour, "size": 6},
               "name": "a step of a marking" if depth < 0 else f"generations 0 to {depth}",
               "x": [(e["time_ns"] - since) / 1e9 for e in some],
               "y": [e["amount"] / 1e6 for e in some], "text": [e["trigger"] for e in some],
               "hovertemplate": "%{y:.3f} ms at %{x:.3f} s<br>%{text}"}
              for colour, (depth, some) in zip(_COLOURS * 2, sorted(by_depth.items()))]
    return "pauses", "Pauses", content, {
        "data": traces, "layout": _layout(xaxis={"title": {"text": "seconds"}},
                                          yaxis={"title": {"text": "ms"}, "type": "log"})}


def _maps(report):
    """Each pool's mapped addresses in rows, one cell so many bytes, by the share that is leased."""
    shown = [m for m in report["maps"] if m["runs"]]
    if not shown:
        return "map", "Where payloads lie", "<p>No pool has memory mapped.</p>", None
    shown = max(shown, key=lambda m: sum(p[1] for r in m["runs"] for p in r["places"])), shown
    chosen, others = shown[0], [m for m in shown[1] if m is not shown[0]]
    size = sum(place[1] for run in chosen["runs"] for place in run["places"])
    cell = max(512, -(-size // (_MAP_COLUMNS * _MAP_ROWS)))
    cells = [0.0] * -(-size // cell)
    states = collections.Counter()
    at = 0
    for run in chosen["runs"]:
        for state, length, *_ in run["places"]:
            states[state] += length
            end = at + length
            while at < end:
                step = min(end, (at // cell + 1) * cell) - at
                if state in ("leased", "evicted"):
                    cells[at // cell] += step / cell
                at += step
    rows = [cells[k:k + _MAP_COLUMNS] for k in range(0, len(cells), _MAP_COLUMNS)]
    rows[-1] += [None] * (_MAP_COLUMNS - len(rows[-1])) if len(rows) > 1 else []
    content = _table(["state", "bytes", "share"],
                     [(s, bytes_text(b), f"{100 * b / size:.1f} %") for s, b in states.most_common()])
    content = (f"<p>{html.escape(chosen['kind'])} pool on {html.escape(chosen['backend'])}: "
               f"{bytes_text(size)} in {len(chosen['runs'])} runs, {bytes_text(cell)} a cell, by "
               f"address; dark is leased.</p>{content}")
    if others:
        names = ", ".join(f"{m['kind']} on {m['backend']}" for m in others)
        content += f"<p>Smaller, and not drawn: {html.escape(names)}.</p>"
    return "map", "Where payloads lie", content, {
        "data": [{"type": "heatmap", "z": rows, "zmin": 0, "zmax": 1, "xgap": 0.5, "ygap": 0.5,
                  "colorscale": [[0, "#e8edf2"], [1, _COLOURS[0]]],
                  "colorbar": {"title": {"text": "leased"}, "tickformat": ".0%", "thickness": 12},
                  "hovertemplate": "row %{y}, cell %{x}: %{z:.0%} leased<extra></extra>"}],
        "layout": _layout(xaxis={"visible": False}, yaxis={"visible": False, "autorange": "reversed"},
                          height=max(140, min(420, 12 * len(rows) + 40)))}


def _frame_name(frame):
    """The function without its parameters, or where in which module."""
    name = frame["function"].replace("(anonymous namespace)::", "").replace("operator()", "operator")
    module = os.path.basename(frame["module"])
    return name.split("(")[0] or f"{module or 'unknown'}+{frame['offset']:#x}"


def _calls(site):
    """Names of a site's calls, the outermost first, from `main` on where there is one."""
    names = [_frame_name(frame) for frame in reversed(site["stack"])]
    return names[names.index("main"):] if "main" in names else names


def _where(site, most):
    return " < ".join(_calls(site)[::-1][:most])


def _flame(sites, value):
    """Nodes of an icicle: the outermost call above, types and payloads as leaves."""
    ids, labels, parents, sums = [""], ["all"], [""], [0.0]
    index = {(): 0}
    for site in sites:
        path = (*_calls(site), site["what"])
        sums[0] += site[value]
        for depth in range(1, len(path) + 1):
            node = path[:depth]
            if node not in index:
                index[node] = len(ids)
                ids.append(str(len(ids)))
                labels.append(node[-1])
                parents.append(ids[index[node[:-1]]])
                sums.append(0.0)
            sums[index[node]] += site[value]
    ids[0] = "all"
    parents = ["" if k == 0 else (p or "all") for k, p in enumerate(parents)]
    return ids, labels, parents, sums


def _sites(report):
    profile = report.get("profile")
    if not profile or not profile["sites"]:
        return None
    ids, labels, parents, sums = _flame(profile["sites"], "live_bytes")
    content = (f"<p>Estimated from {profile['samples']:,} samples, one for each "
               f"{bytes_text(profile['sample_interval'])} on average. Live bytes, by the calls that led to "
               "their allocation; tap a call to look into it.</p>")
    content += _table(
        ["what", "live", "peak", "allocated", "allocations", "mean life", "where"],
        [(s["what"], bytes_text(s["live_bytes"]), bytes_text(s["peak_bytes"]),
          bytes_text(s["total_bytes"]), f"{s['total_allocations']:,.0f}",
          duration_text(s["mean_lifetime_ns"]) if s["mean_lifetime_ns"] else "-",
          _where(s, 4))
         for s in profile["sites"][:_ROWS_SHOWN]])
    if sums[0] <= 0:
        return "sites", "Allocation sites", content, None
    return "sites", "Allocation sites", content, {
        "data": [{"type": "icicle", "ids": ids, "labels": labels, "parents": parents, "values": sums,
                  "branchvalues": "total", "tiling": {"orientation": "v"},
                  "texttemplate": "%{label}", "hovertemplate": "%{label}<br>%{value:.3s}B<extra></extra>"}],
        "layout": _layout(height=460, margin={"l": 5, "r": 5, "t": 5, "b": 5})}


def _growing(report):
    profile = report.get("profile")
    if not profile:
        return None
    content = "<p>Sites whose live bytes grew across each of the last three full collections.</p>"
    content += _table(["what", "live", "allocated", "where"],
                      [(s["what"], bytes_text(s["live_bytes"]), bytes_text(s["total_bytes"]),
                        _where(s, 6))
                       for s in profile["growing"][:_ROWS_SHOWN]])
    return "growing", "Candidates for leaks", content, None


def _types(report):
    if "heap" not in report:
        return None
    rows = report["heap"]["types"][:_ROWS_SHOWN]
    table = _table(["type", "objects", "heap", "payloads", "retained"],
                   [(r["type"], f"{r['held']['objects']:,}", bytes_text(r["held"]["heap"]),
                     bytes_text(sum(r["held"]["payloads"].values())),
                     bytes_text(_held(r["retained"]))) for r in rows])
    top = rows[:12][::-1]
    names = [r["type"] for r in top]
    bars = [{"type": "bar", "orientation": "h", "name": "objects and payloads", "y": names,
             "x": [_held(r["held"]) for r in top], "marker": {"color": _COLOURS[0]}},
            {"type": "bar", "orientation": "h", "name": "retained", "y": names,
             "x": [_held(r["retained"]) for r in top], "marker": {"color": "#b9c7d3"}}]
    return "types", "What lives, by type", table, {
        "data": bars, "layout": _layout(barmode="group", height=120 + 30 * len(top),
                                        xaxis={"title": {"text": "bytes"}, "tickformat": "~s"},
                                        yaxis={"automargin": True})} if top else None


def _holders(report):
    if "heap" not in report:
        return None
    heap = report["heap"]
    content = (f"<p>What would be garbage without them, and the shortest way to them from a root. "
               f"{heap['roots']:,} roots, {heap['cycles']:,} cycles; {bytes_text(_held(heap['floating']))} "
               f"are dead and not collected yet. Mutators stood still for "
               f"{duration_text(heap['stop_ns'])} for this.</p>")
    content += _table(["type", "retained", "objects", "why it lives"],
                      [(h["type"], bytes_text(_held(h["retained"])), f"{h['retained']['objects']:,}",
                        h["path"]) for h in heap["holders"]])
    return "holders", "Who holds most", content, None


def _decisions(report):
    def value(row, key):
        sizes = ("nursery", "old_limit", "nursery_limit", "large_object")
        return bytes_text(row[key]) if row["parameter"] in sizes else f"{row[key]:g}"

    rows = [(r["collection"], r["parameter"] + (f" of generation {r['generation']}" if r["parameter"] ==
                                                "promotion_age" else ""),
             value(r, "before"), value(r, "after"), r["reason"]) for r in report["decisions"]]
    return ("decisions", "What was adapted",
            "<p>By what was measured, after which collection.</p>"
            + _table(["collection", "parameter", "before", "after", "because"], rows), None)


def _configuration(report):
    rows = sorted(report["configuration"], key=lambda r: (r["source"] == "default", r["name"]))
    return ("configuration", "Configuration",
            _table(["option", "value", "set by"], [(r["name"], r["value"], r["source"]) for r in rows]),
            None)


_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 1100px; padding: 0 14px 40px;
  color: #1d2733; background: #fff; }
h1 { font-size: 1.5em; margin: 18px 0 4px; } h2 { font-size: 1.15em; margin: 28px 0 8px;
  border-bottom: 1px solid #d8dfe6; padding-bottom: 4px; }
.cards { display: flex; flex-wrap: wrap; gap: 10px; margin: 10px 0; }
.cards div { border: 1px solid #d8dfe6; border-radius: 6px; padding: 8px 12px; color: #5b6b7b; }
.cards b { display: block; color: #1d2733; font-size: 1.1em; }
.wide { overflow-x: auto; } table { border-collapse: collapse; margin: 8px 0; font-size: 13px; }
th, td { text-align: left; padding: 4px 12px 4px 0; border-bottom: 1px solid #eef2f5;
  vertical-align: top; white-space: nowrap; }
td.long { white-space: normal; min-width: 18em; max-width: 46em; overflow-wrap: anywhere; }
th { color: #5b6b7b; font-weight: 600; white-space: nowrap; }
.figure { width: 100%; }
"""
_SCRIPT = """
for (const [name, figure] of Object.entries(figures)) {
  Plotly.newPlot('figure-' + name, figure.data, figure.layout, {responsive: true, displayModeBar: false});
}
"""
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<title>{title}</title><style>{style}</style><script>{plotly}</script></head>
<body><h1>{title}</h1>
{body}
<script>const figures = {figures};{script}</script></body></html>
"""


def main(arguments=None) -> int:
    """The command. Gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tenure.report", description=__doc__.split("\n")[0])
    parser.add_argument("file", help="what write_report wrote")
    parser.add_argument("-o", "--output", help="the page; by default FILE with .html in place of .json")
    options = parser.parse_args(arguments)
    output = options.output or str(pathlib.Path(options.file).with_suffix(".html"))
    try:
        write_page(load(options.file), output)
    except ImportError:
        print("tenure.report: the page is drawn by Plotly, which is not here: pip install "
              "'tenure[report]'", file=sys.stderr)
        return 2
    except (OSError, ValueError) as error:
        print(f"tenure.report: {error}", file=sys.stderr)
        return 2
    print(f"{output}: {os.path.getsize(output) / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
