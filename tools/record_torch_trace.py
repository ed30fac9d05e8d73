#!/usr/bin/python3
"""Records what PyTorch asks of memory while it trains a small GPT on the CPU, as an allocation trace.

  record_torch_trace.py -o FILE.csv.gz [--layers N] [--heads N] [--width N] [--context N] [--batch N]
                        [--steps N] [--vocabulary N] [--dtype float32|bfloat16] [--seed N]

The model (embeddings, causal self-attention, MLP, layer norm, a head tied to the embedding), the
loss, the backward pass, the clipping of gradients and AdamW run for real, on tokens drawn from the
seed. docs/trace_format.md describes the format. What is live before the first step, the parameters
and the tokens, is the trace's prologue. Needs PyTorch 1.13, as Debian 12 has it:

  apt-get install python3-torch && /usr/bin/python3 tools/record_torch_trace.py -o trace.csv.gz

How the events are seen. PyTorch's CPU allocator reports to the profiler each block that it hands
out or takes back, with its address, its size and its own count of the bytes it holds. The profiler
(profile_memory, with_stack) keeps these as events of its tree, under the operator and the Python
calls that were running. So each tensor's memory is seen once, by the bytes asked for, with a call
stack; backward passes too, under the operator of the autograd engine. Two ways were left: a hook on
posix_memalign and free sees the scratch memory of libraries as well and no stacks; and the exported
profile has sizes alone. What does not come from the CPU allocator, such as the scratch memory of
oneDNN and of BLAS, is not recorded. Times are those of the profiled run, which is slower.

What always holds for a file that was written: it has been read back and replayed, and the bytes
live after each event, at their peak and at the end are those that the allocator itself counted.
Anything else is refused, and no file is left.
"""
import argparse
import collections
import gzip
import math
import os
import sys
import tempfile

HEADER = "op,id,bytes,stream,t_us,device,site"

# One block handed out (bytes above 0) or taken back (below). `held` is the allocator's own count
# after it, `stack` anything that can be compared; None where none was recorded.
Event = collections.namedtuple("Event", "t_ns address bytes held stack")
# What was recorded: the events in order, and the time in which the steps ran.
Recording = collections.namedtuple("Recording", "events begin_ns end_ns")


class Refused(Exception):
    """The recording does not add up; the message says where."""


class Numbering(dict):
    """Small integers from 1 in the order of first sight."""

    def __missing__(self, key):
        self[key] = len(self) + 1
        return self[key]


def rows_of(recording):
    """The trace as tuples, its header left out: the prologue in address order, `begin`, the events
    of the window, `snapshot` with the bytes that the allocator counted at the end."""
    ids, sites = Numbering(), Numbering()
    live, count, held, begun = {}, 0, 0, False

    def site_of(stack):
        return 0 if stack is None else sites[stack]

    def prologue():
        for address in sorted(live):
            block, size, stack = live[address]
            yield ("alloc", ids[block], size, 0, 0, 0, site_of(stack))
        yield ("begin", 0, 0, 0, 0, 0, 0)

    for number, event in enumerate(recording.events):
        if event.t_ns > recording.end_ns:
            break
        if event.t_ns >= recording.begin_ns and not begun:
            begun = True
            yield from prologue()
        held += event.bytes
        if held != event.held:
            raise Refused(f"event {number}: {held} bytes should be held, the allocator counts "
                          f"{event.held}: events are missing or out of order")
        t_us = max(0, event.t_ns - recording.begin_ns) // 1000
        if event.bytes > 0:
            if event.address in live:
                raise Refused(f"event {number}: address {event.address:#x} is handed out twice")
            count += 1
            live[event.address] = (count, event.bytes, event.stack)
            if begun:
                yield ("alloc", ids[count], event.bytes, 0, t_us, 0, site_of(event.stack))
        elif event.bytes < 0:
            block, size, _ = live.pop(event.address, (0, 0, None))
            if size != -event.bytes:
                raise Refused(f"event {number}: {-event.bytes} bytes at {event.address:#x} are "
                              f"given back, {size} are live there")
            if begun:
                yield ("free", ids[block], size, 0, t_us, 0, site_of(event.stack))
    if not begun:
        yield from prologue()
    end_us = (recording.end_ns - recording.begin_ns) // 1000
    yield ("snapshot", 0, held, 0, end_us, 0, 0)


def figures_of(lines):
    """Replays a trace's lines, knowing nothing of how they were made, and gives its figures."""
    lines = iter(lines)
    if next(lines, "") != HEADER + "\n":
        raise Refused("the first line is not that of a trace")
    sizes, all_sizes, sites, counts = {}, set(), set(), collections.Counter()
    live = peak = last_us = 0
    for line in lines:
        op, number, size, stream, t_us, device, site = line.rstrip("\n").split(",")
        number, size, t_us, site = int(number), int(size), int(t_us), int(site)
        if t_us < last_us:
            raise Refused(f"time falls from {last_us} to {t_us}")
        if (stream, device) != ("0", "0"):
            raise Refused(f"a CPU has one stream and one device: {line!r}")
        last_us = t_us
        counts[op] += 1
        if op == "alloc":
            if sizes.setdefault(number, size) != size or counts["alloc"] != number:
                raise Refused(f"block {number} is allocation number {counts['alloc']}")
            if size <= 0:
                raise Refused(f"block {number} has {size} bytes")
            live += size
            all_sizes.add(size)
            sites.add(site)
        elif op == "free":
            if sizes.pop(number, None) != size:
                raise Refused(f"block {number} is freed and was not live with {size} bytes")
            live -= size
        elif op == "begin":
            counts["prologue"], counts["prologue_bytes"] = counts["alloc"], live
        elif op == "snapshot":
            if size != live:
                raise Refused(f"{live} bytes are live at the end, the allocator counts {size}")
        else:
            raise Refused(f"no recording writes the operation {op}")
        peak = max(peak, live)
    if (counts["begin"], counts["snapshot"]) != (1, 1):
        raise Refused("a recording has one begin and one snapshot")
    return {"allocs": counts["alloc"], "frees": counts["free"],
            "prologue_blocks": counts["prologue"], "prologue_bytes": counts["prologue_bytes"],
            "peak_live_bytes": peak, "final_live_bytes": live, "duration_us": last_us,
            "sizes": len(all_sizes), "alloc_sites": len(sites - {0})}


def write(recording, path):
    """Writes the trace, reads it back, and gives its figures; the file appears once they hold."""
    folder = os.path.dirname(os.path.abspath(path))
    part = tempfile.NamedTemporaryFile(dir=folder, prefix=".trace-", suffix=".part", delete=False)
    try:
        # No name and no time in the head, so that the same rows give the same file.
        with part, gzip.GzipFile("", "wb", 9, part, mtime=0) as out:
            out.write((HEADER + "\n").encode())
            for row in rows_of(recording):
                out.write((",".join(map(str, row)) + "\n").encode())
        with gzip.open(part.name, "rt", encoding="ascii", newline="") as lines:
            figures = figures_of(lines)
        counted = max((e.held for e in recording.events
                       if recording.begin_ns <= e.t_ns <= recording.end_ns), default=0)
        counted = max(counted, figures["prologue_bytes"])
        if figures["peak_live_bytes"] != counted:
            raise Refused(f"{figures['peak_live_bytes']} bytes are live at the peak, the allocator "
                          f"counted {counted}")
        os.chmod(part.name, 0o644)
        os.replace(part.name, path)
    except BaseException:
        os.unlink(part.name)
        raise
    return figures


def gpt(torch, options):
    """The model as a module. A function, since its classes need torch, which tests do without."""
    nn, functional = torch.nn, torch.nn.functional

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.project_in = nn.Linear(options.width, 3 * options.width)
            self.project_out = nn.Linear(options.width, options.width)
            future = torch.ones(options.context, options.context, dtype=torch.bool).triu(1)
            self.register_buffer("future", future)

        def forward(self, x):
            batch, length, width = x.shape
            heads = (batch, length, options.heads, width // options.heads)
            query, key, value = (part.view(heads).transpose(1, 2)
                                 for part in self.project_in(x).split(width, dim=2))
            weights = query @ key.transpose(2, 3) / math.sqrt(heads[3])
            weights = weights.masked_fill(self.future[:length, :length], float("-inf"))
            mixed = functional.softmax(weights, dim=3) @ value
            return self.project_out(mixed.transpose(1, 2).reshape(batch, length, width))

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm_1, self.norm_2 = nn.LayerNorm(options.width), nn.LayerNorm(options.width)
            self.attention = Attention()
            self.widen = nn.Linear(options.width, 4 * options.width)
            self.narrow = nn.Linear(4 * options.width, options.width)

        def forward(self, x):
            x = x + self.attention(self.norm_1(x))
            return x + self.narrow(functional.gelu(self.widen(self.norm_2(x))))

    class Gpt(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens = nn.Embedding(options.vocabulary, options.width)
            self.places = nn.Embedding(options.context, options.width)
            self.blocks = nn.ModuleList(Block() for _ in range(options.layers))
            self.norm = nn.LayerNorm(options.width)
            for table in (self.tokens, self.places):
                nn.init.normal_(table.weight, std=0.02)

        def forward(self, tokens, targets):
            x = self.tokens(tokens) + self.places(torch.arange(tokens.shape[1]))
            for block in self.blocks:
                x = block(x)
            logits = functional.linear(self.norm(x), self.tokens.weight)
            return functional.cross_entropy(logits.flatten(0, 1), targets.flatten())

    return Gpt()


def some_tokens(torch, options):
    """A walk over the vocabulary in small random strides: there is something to learn."""
    count = 64 * options.context
    return torch.randint(1, 9, (count,)).cumsum(0) % options.vocabulary


def train_steps(torch, model, optimizer, tokens, options):
    """The recorded window. Its name is looked for in the profile."""
    losses = []
    for _ in range(options.steps):
        starts = torch.randint(len(tokens) - options.context - 1, (options.batch,)).tolist()
        inputs = torch.stack([tokens[s:s + options.context] for s in starts])
        targets = torch.stack([tokens[s + 1:s + options.context + 1] for s in starts])
        with torch.autocast("cpu", torch.bfloat16, enabled=options.dtype == "bfloat16"):
            loss = model(inputs, targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses


def label_of(event):
    """What a node of the profiler's tree adds to a call stack: the operator, or the line that called
    and the function called. Neither addresses nor the number of a module's instance, so that the
    layers of a loop share their sites."""
    fields = event.extra_fields
    caller = getattr(fields, "caller", None)
    if caller is None:
        return event.name
    called = getattr(fields, "callsite", None)
    return (caller.file_name, caller.line_number, called.function_name if called else "")


def recording_of(tree):
    """The allocator's events in the profiler's tree, in the order of their times, and the window.

    A stack is the number of a node in a tree of labels: equal numbers are equal stacks."""
    stacks, events, windows = Numbering(), [], []
    waiting = [(root, None) for root in tree]
    while waiting:
        node, stack = waiting.pop()
        kind = str(node.tag).rpartition(".")[2]
        if kind == "Allocation":
            fields = node.extra_fields
            if fields.alloc_size != 0:
                events.append(Event(node.start_time_ns, fields.ptr, fields.alloc_size,
                                    fields.total_allocated, stack))
            continue
        if kind == "PyCall" and node.extra_fields.callsite.function_name == train_steps.__name__:
            windows.append((node.start_time_ns, node.end_time_ns))
        stack = stacks[(stack, label_of(node))]
        waiting.extend((child, stack) for child in node.children)
    if len(windows) != 1:
        raise Refused(f"the profile shows {len(windows)} calls of {train_steps.__name__}")
    return Recording(sorted(events, key=lambda e: e.t_ns), *windows[0])


def record(torch, options):
    """Trains under the profiler, and gives the recording and the losses."""
    torch.manual_seed(options.seed)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU],
                                profile_memory=True, with_stack=True) as profile:
        tokens = some_tokens(torch, options)
        model = gpt(torch, options)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        losses = train_steps(torch, model, optimizer, tokens, options)
    return recording_of(profile.profiler.kineto_results.experimental_event_tree()), losses


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", required=True, metavar="FILE.csv.gz")
    for name, value in (("layers", 6), ("heads", 6), ("width", 384), ("context", 256),
                        ("batch", 4), ("steps", 5), ("vocabulary", 8192), ("seed", 1)):
        parser.add_argument("--" + name, type=int, default=value, metavar="N",
                            help=f"by default {value}")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32",
                        help="of the matrix products (autocast); parameters stay float32")
    options = parser.parse_args(arguments)
    for name, value in vars(options).items():
        if isinstance(value, int) and value < (0 if name == "seed" else 1):
            parser.error(f"--{name} is {value} and must be at least 1")
    folder = os.path.dirname(os.path.abspath(options.output))
    if not os.path.isdir(folder):
        parser.error(f"--output {options.output} lies in no folder that is there")
    if options.width % options.heads:
        parser.error(f"--width {options.width} is no multiple of --heads {options.heads}")
    return options


def main(arguments=None):
    options = parse(arguments)
    try:
        import torch
    except ImportError as error:
        print(f"PyTorch cannot be loaded ({error}); apt-get install python3-torch, and run this "
              "with /usr/bin/python3", file=sys.stderr)
        return 2
    try:
        recording, losses = record(torch, options)
        figures = write(recording, options.output)
    except (Refused, OSError) as fault:
        print(f"{options.output}: not written: {fault}", file=sys.stderr)
        return 1
    print(f"{options.output}: {os.path.getsize(options.output)} bytes, torch {torch.__version__}")
    print(f"  {'loss':<16}{losses[0]:>12.3f}, after {len(losses)} steps {losses[-1]:.3f}")
    for name, value in figures.items():
        mebibytes = f"  ({value / 2**20:.1f} MiB)" if name.endswith("_bytes") else ""
        print(f"  {name:<16}{value:>12}{mebibytes}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
