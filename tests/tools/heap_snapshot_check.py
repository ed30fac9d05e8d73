#!/usr/bin/env python3
"""Reads a snapshot in V8's format and the same one as JSON, by rules of its own, and holds the two
against each other and the latter against its schema.

Usage: heap_snapshot_check.py FILE.heapsnapshot FILE.json SCHEMA
Prints the first fault and ends with 1, or counts and ends with 0.
"""

import collections
import json
import sys


def expect(holds, sentence):
    if not holds:
        print(sentence)
        sys.exit(1)


def check_schema(value, schema, root, at="$"):
    """The part of JSON Schema that our schemas use."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool,
             "null": type(None)}
    if "type" in schema:
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        fits = any(isinstance(value, kinds[name]) and (name == "boolean" or not isinstance(value, bool))
                   for name in names)
        expect(fits, f"{at} is no {names}")
    if "enum" in schema:
        expect(value in schema["enum"], f"{at} is none of {schema['enum']}")
    if "minimum" in schema and value is not None:
        expect(value >= schema["minimum"], f"{at} is less than {schema['minimum']}")
    if isinstance(value, dict):
        for name in schema.get("required", []):
            expect(name in value, f"{at} has no {name}")
        for name, inner in value.items():
            expect(name in schema.get("properties", {}), f"{at} has an unknown {name}")
            check_schema(inner, schema["properties"][name], root, f"{at}.{name}")
    if isinstance(value, list):
        expect(schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)),
               f"{at} has {len(value)} items")
        for k, inner in enumerate(value):
            if "prefixItems" in schema:
                check_schema(inner, schema["prefixItems"][k], root, f"{at}[{k}]")
            elif "items" in schema:
                check_schema(inner, schema["items"], root, f"{at}[{k}]")


class HeapSnapshot:
    """V8's format, with every index followed."""

    def __init__(self, text):
        self.whole = json.loads(text)
        head = self.whole["snapshot"]
        meta = head["meta"]
        self.strings = self.whole["strings"]
        self.node_types = meta["node_types"][0]
        self.edge_types = meta["edge_types"][0]
        nodes, edges = self.whole["nodes"], self.whole["edges"]
        per_node, per_edge = len(meta["node_fields"]), len(meta["edge_fields"])
        expect(len(meta["node_types"]) == per_node, "node_types and node_fields differ in length")
        expect(len(meta["edge_types"]) == per_edge, "edge_types and edge_fields differ in length")
        expect(len(nodes) == per_node * head["node_count"], "node_count is not what nodes are")
        expect(len(edges) == per_edge * head["edge_count"], "edge_count is not what edges are")
        self.nodes = [dict(zip(meta["node_fields"], nodes[k:k + per_node]))
                      for k in range(0, len(nodes), per_node)]
        self.targets = []
        at = 0
        ids = set()
        for node in self.nodes:
            expect(0 <= node["type"] < len(self.node_types), "a node's type is out of range")
            expect(0 <= node["name"] < len(self.strings), "a node's name is out of range")
            expect(node["self_size"] >= 0, "a node's size is negative")
            expect(node["id"] % 2 == 1 and node["id"] not in ids, "a node's id is even, or not its own")
            expect(node["id"] < 2**53, "an id is no number of JavaScript's")
            ids.add(node["id"])
            own = []
            for _ in range(node["edge_count"]):
                expect(at + per_edge <= len(edges), "nodes have more edges than there are")
                kind, name, to = edges[at:at + per_edge]
                at += per_edge
                expect(0 <= kind < len(self.edge_types), "an edge's type is out of range")
                if self.edge_types[kind] not in ("element", "hidden"):
                    expect(0 <= name < len(self.strings), "an edge's name is out of range")
                    name = self.strings[name]
                expect(to % per_node == 0 and 0 <= to < len(nodes), "an edge leads into no node")
                own.append((self.edge_types[kind], name, to // per_node))
            self.targets.append(own)
        expect(at == len(edges), "nodes have fewer edges than there are")
        root = self.nodes[0]
        expect(self.node_types[root["type"]] == "synthetic", "the first node is not the root")
        expect(self.strings[self.nodes[self.targets[0][0][2]]["name"]] == "(GC roots)",
               "the root does not lead to the roots")

    def reachable(self):
        reached, open_ = {0}, [0]
        while open_:
            for _, _, target in self.targets[open_.pop()]:
                if target not in reached:
                    reached.add(target)
                    open_.append(target)
        return reached

    def of_type(self, name):
        return [k for k, node in enumerate(self.nodes) if self.node_types[node["type"]] == name]


def main():
    v8_path, json_path, schema_path = sys.argv[1:]
    with open(v8_path, encoding="utf-8") as file:
        v8 = HeapSnapshot(file.read())
    with open(json_path, encoding="utf-8") as file:
        plain = json.load(file)
    with open(schema_path, encoding="utf-8") as file:
        schema = json.load(file)
    check_schema(plain, schema, schema)
    try:
        import jsonschema
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.validate(plain, schema, cls=jsonschema.Draft202012Validator)
        by = "jsonschema"
    except ImportError:
        by = "the small check alone"

    expect(len(v8.reachable()) == len(v8.nodes), "a node is not reachable from the root")
    types = plain["types"]
    objects = sorted(v8.of_type("object") + v8.of_type("array"))
    expect(len(objects) == len(plain["objects"]), "the two have different numbers of objects")
    number_of = {node: k for k, node in enumerate(objects)}
    for node, row in zip(objects, plain["objects"]):
        place, kind, size = row[:3]
        expect(v8.nodes[node]["id"] == 2 * place + 1, "an object's id is not of its place")
        expect(v8.strings[v8.nodes[node]["name"]] == types[kind]["name"], "names differ")
        expect(v8.nodes[node]["self_size"] == size, "sizes differ")
    edges = collections.Counter()
    payloads = collections.Counter()
    for node in objects:
        for kind, name, target in v8.targets[node]:
            if target in number_of:
                edges[number_of[node], number_of[target]] += 1
                if kind == "element":
                    expect(types[plain["objects"][number_of[node]][1]]["is_array"], "no array")
            else:
                what = v8.strings[v8.nodes[target]["name"]]
                payloads[number_of[node], what, v8.nodes[target]["self_size"]] += 1
    expect(edges == collections.Counter((a, b) for a, _, b in plain["edges"]), "edges differ")
    expect(payloads == collections.Counter((row["owner"], f"payload ({row['kind']})", row["bytes"])
                                           for row in plain["payloads"]), "payloads differ")
    roots = collections.Counter()
    for group in v8.of_type("synthetic")[2:]:
        for _, _, target in v8.targets[group]:
            roots[number_of[target]] += 1
    expect(roots == collections.Counter(row["object"] for row in plain["roots"]), "roots differ")
    rooted = set(roots)
    edge_set = set(edges)
    for k, row in enumerate(plain["objects"]):
        nearer = row[7]
        expect(k in rooted if nearer is None else (nearer, k) in edge_set, "a way to a root is none")
    total = sum(row["held"]["objects"] for row in plain["totals_by_type"])
    expect(total == plain["total"]["objects"] == len(objects), "totals are not what objects are")
    print(f"{len(v8.nodes)} nodes, {sum(edges.values())} edges, checked by {by}")


if __name__ == "__main__":
    main()
